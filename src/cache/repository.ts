import type { Index } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor, ManifestContent } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type {
  Answer,
  Ask,
  Asker,
  Outcome,
  Page,
  PageRequest,
  Referrer,
  Repository,
  RepositoryKey,
} from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Identity, UpstreamRepository } from '../upstream/contract.ts';
import type { Download } from './download.ts';
import { readerOf } from './download-reader.ts';
import type { Downloads } from './downloads.ts';
import { isOutlived } from './freshness.ts';
import type { Policy } from './freshness.ts';
import { findHeld } from './held.ts';
import { lasting } from './lasting.ts';
import { Manifests } from './manifests.ts';
import type { OnceInCluster } from './once.ts';
import type { Source } from './transfer.ts';
import type { Refusals } from './refusals.ts';
import type { Uses } from './uses.ts';

export interface RepositoryContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly downloads: Downloads;
  readonly once: OnceInCluster;
  readonly uses: Uses;
  readonly refusals: Refusals;
  /** @throws RegistryError when the asker may not read it. Stands before every lookup and every joining of a download. */
  mayRead(asker: Asker, key: RepositoryKey, reference: Reference | undefined): Promise<void>;
  /** Whether anybody may read this repository upstream. */
  isPublic(key: RepositoryKey): Promise<boolean>;
  /** To be told before content that the upstream has just given us comes to be held. */
  witness(key: RepositoryKey): Promise<void>;
}

/** What an upstream's repository looks like from behind the cache: the same, faster, and there when the upstream is not. */
export class CachedRepository implements Repository {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #upstream: UpstreamRepository;
  readonly #identity: Identity = 'own';
  readonly #policy: Policy;
  readonly #context: RepositoryContext;
  readonly #manifests: Manifests;

  constructor(
    key: RepositoryKey,
    url: string,
    upstream: UpstreamRepository,
    policy: Policy,
    context: RepositoryContext,
  ) {
    this.key = key;
    this.label = `${key.upstream}/${key.name} (${url})`;
    this.#upstream = upstream;
    this.#policy = policy;
    this.#context = context;
    this.#manifests = new Manifests(key, upstream, this.#identity, policy, context);
  }

  async resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, reference);
    const answer = isDigestReference(reference)
      ? await this.#manifests.describe(reference)
      : await this.#manifests.resolveTag(reference, ask.revalidate);
    return this.#tell('manifest', answer);
  }

  async manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, reference);
    const answer = isDigestReference(reference)
      ? await this.#manifests.byDigest(reference)
      : await this.#manifests.byTag(reference, ask.revalidate);
    return this.#tell('manifest', answer);
  }

  async stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, digest);
    const held = await findHeld(this.#context, digest);
    if (held !== undefined) {
      return (await this.#mayShare(digest)) ? this.#tell('blob', answerOf(blobDescriptor(held), 'hit')) : undefined;
    }
    const size = await this.#upstream.blobSize(digest, this.#identity);
    if (size === undefined) return undefined;
    return this.#tell('blob', answerOf({ digest, size, mediaType: octetStream }, 'miss'));
  }

  async blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, digest);
    const held = await findHeld(this.#context, digest);
    const mayShare = held !== undefined && (await this.#mayShare(digest));
    if (held !== undefined && !mayShare) return undefined;
    const found = held === undefined ? await this.#download(digest) : answerOf(held, 'hit');
    if (found === undefined) return undefined;
    const again = async (): Promise<BlobReader | undefined> => (await this.#download(digest))?.value;
    return this.#tell('blob', { ...found, value: lasting(found.value, again) });
  }

  /** Brings a blob in without serving it to anybody. False when that did not succeed. */
  async fetch(digest: Digest): Promise<boolean> {
    const { downloads, index } = this.#context;
    const expected = await index.manifests.described(this.key, digest);
    const download = downloads.start(digest, this.#source(), expected?.size);
    await download.ended;
    return download.phase.kind === 'stored';
  }

  /** The upstream's own list; what is held when the upstream cannot be asked. */
  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, undefined);
    try {
      const list = await this.#upstream.tags(page, this.#identity);
      if (list !== undefined) return this.#tell('tags', answerOf(list, 'miss'));
    } catch (error) {
      if (!isOutlived(error, this.#policy)) throw error;
      const held = await this.#context.index.tags.list(this.key, page);
      if (held.items.length === 0 && page.last === undefined) throw error;
      return this.#tell('tags', answerOf(held, 'stale'));
    }
    const held = this.#policy.keep.notfound ? await this.#context.index.tags.list(this.key, page) : undefined;
    return held === undefined || held.items.length === 0 ? undefined : this.#tell('tags', answerOf(held, 'stale'));
  }

  /** The upstream's own list; what is held when the upstream cannot be asked. */
  async referrers(
    subject: Digest,
    artifactType: string | undefined,
    ask: Ask,
  ): Promise<Answer<readonly Referrer[]> | undefined> {
    await this.#context.mayRead(ask.asker, this.key, subject);
    try {
      const list = await this.#upstream.referrers(subject, artifactType, this.#identity);
      return list === undefined ? undefined : this.#tell('referrers', answerOf(list, 'miss'));
    } catch (error) {
      if (!isOutlived(error, this.#policy)) throw error;
      const held = await this.#context.index.manifests.referrers(this.key, subject);
      if (held.length === 0) throw error;
      const wanted = held.filter((referrer) => artifactType === undefined || referrer.artifactType === artifactType);
      return this.#tell('referrers', answerOf(wanted, 'stale'));
    }
  }

  /**
   * Whether this repository has earned a blob that is here: the upstream's repository has answered for it, or both it
   * and a repository that has it are public. That a manifest names it proves nothing.
   */
  async #mayShare(digest: Digest): Promise<boolean> {
    const { index, uses } = this.#context;
    const standing = await index.blobs.standing(this.key, digest);
    if (standing !== 'member') {
      if (standing === 'public' && (await this.#context.isPublic(this.key))) await this.#addMember(digest);
      else if (!(await this.#earn(digest))) return false;
    }
    uses.note(this.key, digest);
    return true;
  }

  async #download(digest: Digest): Promise<Answer<BlobReader> | undefined> {
    const { downloads, index } = this.#context;
    const running = downloads.find(digest);
    if (running !== undefined && !(await this.#mayJoin(digest, running.source.key))) return undefined;
    const expected = await index.manifests.described(this.key, digest);
    const outcome = downloads.find(digest) === undefined ? 'miss' : 'coalesced';
    const download = downloads.start(digest, this.#source(), expected?.size);
    const isMine = this.#isMine(download.source.key);
    const size = await download.opened.catch((error: unknown) => {
      if (isMine) throw error;
    });
    if (size !== undefined) {
      return (await this.#hasEarned(download)) ? answerOf(readerOf(download, size), outcome) : undefined;
    }
    if (isMine) return undefined;
    // Somebody else's source did not have it, or failed: ours may do better.
    await download.ended;
    return this.#download(digest);
  }

  /** Whether to wait for a download of another repository: it has perhaps not been answered yet, and proves nothing. */
  async #mayJoin(digest: Digest, other: RepositoryKey): Promise<boolean> {
    return this.#isMine(other) || (await this.#isAsPublicAs(other)) || this.#earn(digest);
  }

  /**
   * It is perhaps somebody else's download, was at rest after all, or comes by way of another process: then this
   * repository has not answered for it yet.
   */
  async #hasEarned(download: Download): Promise<boolean> {
    const { digest, earned, source } = download;
    if (earned && this.#isMine(source.key)) return true;
    if (!earned || !(await this.#isAsPublicAs(source.key))) return this.#mayShare(digest);
    await this.#addMember(digest);
    return true;
  }

  async #isAsPublicAs(other: RepositoryKey): Promise<boolean> {
    const both = await Promise.all([this.#context.isPublic(this.key), this.#context.isPublic(other)]);
    return both.every(Boolean);
  }

  /** Asks the upstream's repository itself. */
  async #earn(digest: Digest): Promise<boolean> {
    if ((await this.#upstream.blobSize(digest, this.#identity)) === undefined) return false;
    await this.#addMember(digest);
    return true;
  }

  async #addMember(digest: Digest): Promise<void> {
    const { index, clock, observer } = this.#context;
    await remember(observer, () => index.blobs.addMember(this.key, digest, clock.now()));
  }

  #source(): Source {
    return { key: this.key, repository: this.#upstream, identity: this.#identity, ranges: this.#policy.ranges };
  }

  #isMine(key: RepositoryKey): boolean {
    return key.upstream === this.key.upstream && key.name === this.key.name;
  }

  #tell<T>(object: 'manifest' | 'blob' | 'tags' | 'referrers', answer: Answer<T> | undefined): Answer<T> | undefined {
    if (answer !== undefined) {
      const { outcome } = answer;
      this.#context.observer.emit({ type: 'cache.answered', upstream: this.key.upstream ?? '', object, outcome });
    }
    return answer;
  }
}

const octetStream = 'application/octet-stream';

function blobDescriptor(blob: BlobReader): Descriptor {
  return { digest: blob.digest, size: blob.size, mediaType: octetStream };
}

function answerOf<T>(value: T, outcome: Outcome): Answer<T> {
  return { value, outcome, ageSeconds: 0 };
}
