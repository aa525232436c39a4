import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import type { ChildDescriptor, Descriptor, Manifest, ManifestContent } from '../oci/manifest.ts';
import type { Reference } from '../oci/reference.ts';
import type { Answer, Repository } from '../oci/repository.ts';
import { RegistryError } from '../oci/errors.ts';
import type { UnkeptPart, WarmOptions, WarmReport } from './contract.ts';
import { readToEnd, whatIsWrong } from './reading.ts';

/** One thing that an image consists of. */
export type Part = Omit<UnkeptPart, 'reason'>;

/** What becomes of that in the cache. */
export interface Holding {
  /** Resolves when a blob that was arriving is held, or will not be. */
  settled(digest: Digest): Promise<void>;
  /** Puts aside what turned out to be wrong, unless somebody is bringing it in or evicting it. */
  putAside(digest: Digest, reason: string): Promise<unknown>;
  /** Why it is not held; `undefined` when it is. */
  whyUnkept(part: Part): Promise<string | undefined>;
}

/** Fetches an image whole through its repository: everything that a client of these platforms would ask for. */
export async function warm(
  repository: Repository,
  reference: Reference,
  options: WarmOptions,
  holding: Holding,
): Promise<WarmReport> {
  const root = await manifestOf(repository, reference, options);
  const parts = new Map<Digest, Part>([[root.digest, partOf(root, 'manifest')]]);
  const report = { digest: root.digest, manifests: 1, blobs: 0, bytes: root.size, fetchedBytes: 0, damaged: 0 };
  const visit = async (manifest: Manifest): Promise<void> => {
    for (const child of manifest.children) {
      if (!isWanted(child, options.platforms)) continue;
      report.bytes += child.size;
      parts.set(child.digest, partOf(child, child.kind));
      if (child.kind === 'manifest') {
        report.manifests += 1;
        await visit(await manifestOf(repository, child.digest, options));
      } else {
        report.blobs += 1;
        if (options.verify && (await mend(repository, child, options, holding))) report.damaged += 1;
        report.fetchedBytes += await fetchBlob(repository, child, options);
        await holding.settled(child.digest);
      }
    }
  };
  assertOffered(root, options.platforms, repository);
  await visit(root);
  return { ...report, unkept: await unkeptOf(parts.values(), holding) };
}

function partOf({ digest, size }: Descriptor, what: Part['what']): Part {
  return { digest, what, size };
}

/** Looked at in the end: what came last may have taken the room of what came first. */
async function unkeptOf(parts: Iterable<Part>, holding: Holding): Promise<readonly UnkeptPart[]> {
  const unkept: UnkeptPart[] = [];
  for (const part of parts) {
    const reason = await holding.whyUnkept(part);
    if (reason !== undefined) unkept.push({ ...part, reason });
  }
  return unkept;
}

/** An index that names the platform of each of its children names all that there are. */
function assertOffered({ children }: Manifest, wanted: readonly string[], repository: Repository): void {
  const platforms = children.flatMap((child) => (child.kind === 'manifest' ? [child.platform] : []));
  if (platforms.length === 0 || platforms.includes(undefined)) return;
  const lacking = wanted.filter(
    (each) => !children.some((child) => child.kind === 'manifest' && isWanted(child, [each])),
  );
  if (lacking.length === 0) return;
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `${repository.label} is not there for ${lacking.join(', ')}; name one of ${platforms.join(', ')}`,
  );
}

function isWanted(child: ChildDescriptor, platforms: readonly string[]): boolean {
  if (child.kind === 'blob' || platforms.length === 0 || child.platform === undefined) return true;
  return platforms.some((platform) => child.platform === platform || child.platform?.startsWith(`${platform}/`));
}

async function manifestOf(repository: Repository, reference: Reference, options: WarmOptions): Promise<Manifest> {
  const answer = await repository.manifest(reference, options.ask);
  if (answer === undefined) throw missing('MANIFEST_UNKNOWN', reference, repository);
  const { digest, size } = answer.value;
  options.onProgress({ digest, what: 'manifest', size, done: size });
  return parsed(answer.value);
}

function parsed(content: ManifestContent): Manifest {
  return parseManifest(content.bytes, content.mediaType, content.digest);
}

async function blobOf(repository: Repository, digest: Digest, { ask }: WarmOptions): Promise<Answer<BlobReader>> {
  const answer = await repository.blob(digest, ask);
  if (answer === undefined) throw missing('BLOB_UNKNOWN', digest, repository);
  return answer;
}

/** Reads again what is held. Whether it was wrong; then it is out of the way, to be fetched anew. */
async function mend(
  repository: Repository,
  child: ChildDescriptor,
  options: WarmOptions,
  holding: Holding,
): Promise<boolean> {
  const { value, outcome } = await blobOf(repository, child.digest, options);
  if (outcome !== 'hit') return false;
  const { digest, size } = value;
  const wrong = await whatIsWrong(value, (_, done) => {
    // It is done when it is known to be right.
    if (done < size) options.onProgress({ digest, what: 'blob', size, done });
  });
  if (wrong !== undefined) await holding.putAside(digest, wrong);
  return wrong !== undefined;
}

/** Resolves to the bytes that had to be fetched. */
async function fetchBlob(repository: Repository, child: ChildDescriptor, options: WarmOptions): Promise<number> {
  const { value, outcome } = await blobOf(repository, child.digest, options);
  const { digest, size } = value;
  const read = (done: number): void => options.onProgress({ digest, what: 'blob', size, done });
  if (outcome === 'hit') {
    read(size);
    return 0;
  }
  await readToEnd(value, (_, done) => read(done));
  return size;
}

function missing(
  code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN',
  reference: Reference,
  repository: Repository,
): RegistryError {
  return new RegistryError(code, `${reference} is not known to ${repository.label}`);
}
