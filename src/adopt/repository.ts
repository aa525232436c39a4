import type { AdoptedPart, LinkStanding } from '../index/contract.ts';
import type { BlobReader } from '../oci/blob.ts';
import { isDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { manifestBytesMax, parseManifest } from '../oci/manifest.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { LinkTrouble, RepositoryLinks } from '../store/link-tree.ts';
import type { AdoptionContext } from './context.ts';

/** Somebody pushes to it, or another process writes links: then it is read again. */
const attemptsMax = 100;
const retryMs = 50;
/** Of one transaction, for which everybody waits. */
const partItemsMax = 200;
const partBytesMax = 1024 * 1024;

/**
 * Makes the index say of a repository what its links say. Every link that is ours is written by the time that they are
 * read, so where the two differ, somebody else has changed the links, and the links are right.
 * @returns false when a part of it could not be read
 */
export async function adoptRepository(context: AdoptionContext, key: RepositoryKey): Promise<boolean> {
  const { store, index, clock, drain } = context;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const standing = await index.adoption.standing(key);
    if (standing.pending) {
      if (!(await drain(key))) await clock.sleep(retryMs);
      continue;
    }
    const fingerprint = await store.fingerprint(key.name);
    if (fingerprint === undefined ? !standing.known : fingerprint === standing.fingerprint) return true;
    const outcome = await adoptLinks(context, key, standing, fingerprint);
    if (outcome !== 'changed') return outcome === 'whole';
  }
  const message = `the links of ${key.name} do not come to rest: ask again, and see to it that nothing but entrepot writes to them`;
  throw new RegistryError('UNAVAILABLE', message, { origin: 'store', retryAfterSeconds: 1 });
}

/** `changed`: the index, meanwhile. */
async function adoptLinks(
  context: AdoptionContext,
  key: RepositoryKey,
  { changes }: LinkStanding,
  fingerprint: string | undefined,
): Promise<'whole' | 'partial' | 'changed'> {
  const { store, index, clock, witness } = context;
  const told = (trouble: LinkTrouble): void => tell(context, trouble);
  const links = await store.readLinks(key.name, told);
  if (key.upstream !== undefined) await witness(key);
  const parts = new Parts(context, key, links);
  for await (const part of parts.all(fingerprint)) {
    if (!(await index.adoption.adopt(key, part, changes, clock.now()))) return 'changed';
    context.counts.manifests += part.manifests.length;
    context.counts.blobs += part.blobs.length;
  }
  return parts.isWhole ? 'whole' : 'partial';
}

export function tell({ observer, counts }: AdoptionContext, { path, reason }: LinkTrouble): void {
  counts.troubles += 1;
  observer.emit({ type: 'adoption.trouble', path, reason });
}

/** What links say, in parts that the index takes in at once. */
class Parts {
  readonly #context: AdoptionContext;
  readonly #key: RepositoryKey;
  readonly #links: RepositoryLinks;
  #blobs: { digest: Digest; size: number }[] = [];
  #manifests: Manifest[] = [];
  #tags: (readonly [Tag, Digest])[] = [];
  #bytes = 0;
  #isWhole: boolean;
  /** There is a manifest that nobody here understands, such as one of schema 1. */
  #isUnclear: boolean;
  /** The content of such manifests, and of links that do not say what they should: kept as blobs of the repository. */
  readonly #kept = new Set<Digest>();

  constructor(context: AdoptionContext, key: RepositoryKey, links: RepositoryLinks) {
    this.#context = context;
    this.#key = key;
    this.#links = links;
    this.#isWhole = links.whole;
    this.#isUnclear = links.unclear.size > 0;
  }

  /** False when something could not be read, once all parts have been taken. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Manifests first: what they refer to is then known to be needed as it comes. */
  async *all(fingerprint: string | undefined): AsyncIterable<AdoptedPart> {
    const { layers, manifests, tags, unclear } = this.#links;
    for (const digest of manifests) {
      await this.#addManifest(digest);
      if (this.#isFull()) yield this.#take();
    }
    for (const digest of layers) {
      await this.#addBlob(digest);
      if (this.#isFull()) yield this.#take();
    }
    for (const text of unclear) if (isDigest(text)) await this.#addBlob(text);
    for (const [tag, digest] of tags) {
      if (manifests.has(digest)) this.#tags.push([tag, digest]);
      else this.#tell(tag, `it points at ${digest}, which the repository does not have`);
      if (this.#isFull()) yield this.#take();
    }
    // What cannot be read is not gone: then nothing is forgotten.
    yield this.#isWhole ? { ...this.#take(), rest: { ...this.#named(), fingerprint } } : this.#take();
  }

  #named(): Omit<NonNullable<AdoptedPart['rest']>, 'fingerprint'> {
    const { layers, manifests, tags, unclear } = this.#links;
    return {
      layers: layers.union(unclear).union(this.#kept),
      manifests: manifests.union(unclear),
      tags: new Set([...tags.keys(), ...unclear]),
    };
  }

  #isFull(): boolean {
    const items = this.#blobs.length + this.#manifests.length + this.#tags.length;
    return items >= partItemsMax || this.#bytes >= partBytesMax;
  }

  #take(): AdoptedPart {
    const part = { blobs: this.#blobs, manifests: this.#manifests, tags: this.#tags, keepBlobs: this.#isUnclear };
    [this.#blobs, this.#manifests, this.#tags, this.#bytes] = [[], [], [], 0];
    return part;
  }

  async #addBlob(digest: Digest): Promise<void> {
    const { index, counts } = this.#context;
    const size = (await index.blobs.stored(digest)) ?? (await this.#find(digest))?.size;
    if (size === undefined) counts.dangling += 1;
    else this.#blobs.push({ digest, size });
  }

  async #addManifest(digest: Digest): Promise<void> {
    const { index, counts } = this.#context;
    if ((await index.manifests.find(this.#key, digest)) !== undefined) return;
    const blob = await this.#find(digest);
    if (blob === undefined) {
      counts.dangling += 1;
      return;
    }
    try {
      const manifest = await manifestOf(blob);
      this.#manifests.push(manifest);
      this.#bytes += manifest.size;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#isUnclear = true;
      if (error.origin === 'store') this.#isWhole = false;
      this.#kept.add(digest);
      this.#blobs.push(blob);
      this.#tell(digest, error.message);
    }
  }

  async #find(digest: Digest): Promise<BlobReader | undefined> {
    try {
      return await this.#context.store.find(digest);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#isWhole = false;
      this.#tell(digest, error.message);
      return undefined;
    }
  }

  #tell(what: string, reason: string): void {
    tell(this.#context, { path: `${this.#key.name}${what.includes(':') ? '@' : ':'}${what}`, reason });
  }
}

/** @throws RegistryError when it is none that is understood */
export async function manifestOf(blob: BlobReader): Promise<Manifest> {
  return parseManifest(await bytesOf(blob), '', blob.digest);
}

/** @throws RegistryError also when it is too large for a manifest */
async function bytesOf(blob: BlobReader): Promise<Uint8Array> {
  if (blob.size > manifestBytesMax)
    throw new RegistryError('MANIFEST_INVALID', `it is larger than ${manifestBytesMax} bytes`);
  const bytes = Buffer.alloc(blob.size);
  await using source = await blob.open({ verified: true });
  for (let position = 0; position < blob.size;) position += await source.read(bytes.subarray(position), position);
  return bytes;
}
