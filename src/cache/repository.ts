import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor, ManifestContent } from '../oci/manifest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import { fullName } from '../oci/repository.ts';
import type {
  Answer,
  Ask,
  Outcome,
  Page,
  PageRequest,
  Referrer,
  Repository,
  RepositoryKey,
  Wanted,
} from '../oci/repository.ts';
import type { Identity, UpstreamRepository } from '../upstream/contract.ts';
import { repeatable } from './again.ts';
import { isSame, policyFor, suffixOf } from './identity.ts';
import type { RepositoryContext } from './repository-context.ts';
import type { Download } from './download.ts';
import { readerOf } from './download-reader.ts';
import type { Policy } from './freshness.ts';
import { findHeld } from './held.ts';
import { lasting } from './lasting.ts';
import { Lists } from './lists.ts';
import { Manifests } from './manifests.ts';
import { addMember, earn } from './possession.ts';
import type { Source } from './sources.ts';

/** What an upstream's repository looks like from behind the cache: the same, faster, and there when the upstream is not. */
export class CachedRepository implements Repository {
  readonly key: RepositoryKey;
  readonly label: string;
  readonly #upstream: UpstreamRepository;
  readonly #policy: Policy;
  readonly #context: RepositoryContext;

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
  }

  async resolve(reference: Reference, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    const version = this.#context.index.version();
    const answer = await this.#allowed(ask, { object: 'manifest', reference }, (as) =>
      isDigestReference(reference)
        ? this.#manifests(as).describe(reference)
        : this.#manifests(as).resolveTag(reference, ask.revalidate),
    );
    return this.#tell('manifest', answer && repeatable(this.#context, this.key, reference, answer, version));
  }

  async manifest(reference: Reference, ask: Ask): Promise<Answer<ManifestContent> | undefined> {
    const version = this.#context.index.version();
    const answer = await this.#allowed(ask, { object: 'manifest', reference }, (as) =>
      isDigestReference(reference)
        ? this.#manifests(as).byDigest(reference)
        : this.#manifests(as).byTag(reference, ask.revalidate),
    );
    return this.#tell('manifest', answer && repeatable(this.#context, this.key, reference, answer, version));
  }

  async stat(digest: Digest, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    const wanted = { object: 'blob', reference: digest } as const;
    return this.#tell('blob', await this.#allowed(ask, wanted, (as) => this.#describe(digest, as)));
  }

  async #describe(digest: Digest, as: Identity): Promise<Answer<Descriptor> | undefined> {
    const described = (size: number, outcome: Outcome) => answerOf({ digest, size, mediaType: octetStream }, outcome);
    const held = await findHeld(this.#context, digest);
    if (held !== undefined) return (await this.#mayShare(digest, as)) ? described(held.size, 'hit') : undefined;
    const running = this.#context.downloads.find(digest);
    if (running?.size !== undefined && (await this.#isOneOfMine(running.source.key, digest))) {
      return (await this.#hasEarned(running, as)) ? described(running.size, 'coalesced') : undefined;
    }
    const what = `size of ${fullName(this.key)}@${digest}${suffixOf(as)}`;
    const { value, shared } = await this.#context.once.share(what, () => this.#upstream.blobSize(digest, as));
    return value === undefined ? undefined : described(value, shared ? 'coalesced' : 'miss');
  }

  async blob(digest: Digest, ask: Ask): Promise<Answer<BlobReader> | undefined> {
    const answer = await this.#allowed(ask, { object: 'blob', reference: digest }, async (as) => {
      const held = (await this.#isArriving(digest)) ? undefined : await findHeld(this.#context, digest);
      const mayShare = held !== undefined && (await this.#mayShare(digest, as));
      if (held !== undefined && !mayShare) return undefined;
      const found = held === undefined ? await this.#download(digest, as) : answerOf(held, 'hit');
      if (found === undefined) return undefined;
      const again = async (): Promise<BlobReader | undefined> => (await this.#download(digest, as))?.value;
      return { ...found, value: lasting(found.value, again) };
    });
    return this.#tell('blob', answer);
  }

  /** For this repository, too. It may be at rest already, while the index does not know yet whose it is. */
  async #isArriving(digest: Digest): Promise<boolean> {
    const running = this.#context.downloads.find(digest);
    return running !== undefined && (await this.#isOneOfMine(running.source.key, digest));
  }

  /** Brings a blob in without serving it to anybody. False when that did not succeed. */
  async fetch(digest: Digest): Promise<boolean> {
    const { downloads, index } = this.#context;
    const expected = await index.manifests.described(this.key, digest);
    const download = downloads.start(digest, this.#source('own'), expected?.size);
    await download.ended;
    return download.phase.kind === 'stored';
  }

  async tags(page: PageRequest, ask: Ask): Promise<Answer<Page<Tag>> | undefined> {
    return this.#tell(
      'tags',
      await this.#allowed(ask, { object: 'list' }, (as) => this.#lists(as).tags(page), nothingNew),
    );
  }

  async referrers(
    subject: Digest,
    artifactType: string | undefined,
    ask: Ask,
  ): Promise<Answer<readonly Referrer[]> | undefined> {
    const list = (as: Identity) => this.#lists(as).referrers(subject, artifactType);
    return this.#tell(
      'referrers',
      await this.#allowed(ask, { object: 'manifest', reference: subject }, list, nothingNew),
    );
  }

  /**
   * Whether this repository has earned a blob that is here: the upstream's repository has answered for it, or both it
   * and a repository that has it are public. That a manifest names it proves nothing.
   */
  async #mayShare(digest: Digest, as: Identity): Promise<boolean> {
    const { index, uses } = this.#context;
    const standing = await index.blobs.standing(this.key, digest);
    if (standing !== 'member') {
      const others = standing === 'public' ? await index.blobs.members(digest) : [];
      if (await this.#isAsPublicAs(others, digest)) await this.#addMember(digest);
      else if (!(await this.#earn(digest, as))) return false;
    }
    uses.note(this.key, digest);
    return true;
  }

  async #download(digest: Digest, as: Identity): Promise<Answer<BlobReader> | undefined> {
    const { downloads, index } = this.#context;
    const running = downloads.find(digest);
    if (running !== undefined && !(await this.#mayJoin(digest, running.source.key, as))) return undefined;
    const expected = await index.manifests.described(this.key, digest);
    const outcome = downloads.find(digest) === undefined ? 'miss' : 'coalesced';
    const download = downloads.start(digest, this.#source(as), expected?.size);
    const isMine = this.#isMine(download.source.key) && isSame(download.source.identity, as);
    const size = await download.opened.catch((error: unknown) => {
      if (isMine) throw error;
    });
    if (size !== undefined) {
      return (await this.#hasEarned(download, as)) ? answerOf(readerOf(download, size), outcome) : undefined;
    }
    if (isMine) return undefined;
    // Somebody else's source did not have it, or failed: ours may do better.
    await download.ended;
    return this.#download(digest, as);
  }

  /** Whether to wait for a download of another repository: it has perhaps not been answered yet, and proves nothing. */
  async #mayJoin(digest: Digest, other: RepositoryKey, as: Identity): Promise<boolean> {
    return (await this.#isOneOfMine(other, digest)) || this.#earn(digest, as);
  }

  /**
   * It is perhaps somebody else's download, was at rest after all, or comes by way of another process: then this
   * repository has not answered for it yet.
   */
  async #hasEarned(download: Download, as: Identity): Promise<boolean> {
    const { digest, earned, source } = download;
    if (earned && this.#isMine(source.key)) return true;
    if (!earned || !(await this.#isAsPublicAs([source.key], digest))) return this.#mayShare(digest, as);
    await this.#addMember(digest);
    return true;
  }

  async #isOneOfMine(other: RepositoryKey, digest: Digest): Promise<boolean> {
    return this.#isMine(other) || this.#isAsPublicAs([other], digest);
  }

  /** Whether anybody may read the blob here and in one of the others. */
  async #isAsPublicAs(others: readonly RepositoryKey[], digest: Digest): Promise<boolean> {
    const context = this.#context;
    return (await context.isPublic(digest, [this.key])) && (await context.isPublic(digest, others));
  }

  /** Asks the upstream's repository itself. */
  #earn(digest: Digest, as: Identity): Promise<boolean> {
    return earn(digest, this.#source(as), this.#policy, this.#context);
  }

  #addMember(digest: Digest): Promise<void> {
    return addMember(this.#context, this.key, digest);
  }

  /**
   * Does what the asker may have done. What is public is looked at once more when it is there: nobody who was let in as
   * anybody sees what a client of the upstream's has brought in meanwhile, or what came in after it was closed.
   */
  async #allowed<T extends Answer<unknown> | undefined>(
    ask: Ask,
    wanted: Wanted,
    act: (as: Identity) => Promise<T>,
    isNew: (answer: T) => boolean = hasCome,
  ): Promise<T> {
    const context = this.#context;
    const as = await context.mayRead(ask.asker, this.key, wanted);
    try {
      const result = await act(as);
      if (as === 'own') await context.mayRead(ask.asker, this.key, wanted, isNew(result));
      return result;
    } catch (error) {
      const isDenied = error instanceof RegistryError && error.code === 'UPSTREAM_DENIED' && as === 'own';
      const presents = ask.asker.kind !== 'operator' && ask.asker.presents !== undefined;
      if (!isDenied || !presents || !(await context.doubt(this.key))) throw error;
      return await act(await context.mayRead(ask.asker, this.key, wanted));
    }
  }

  #manifests(as: Identity): Manifests {
    return new Manifests(this.key, this.#upstream, as, policyFor(as, this.#policy), this.#context);
  }

  #lists(as: Identity): Lists {
    return new Lists(this.key, this.#upstream, as, policyFor(as, this.#policy), this.#context);
  }

  #source(identity: Identity): Source {
    return { key: this.key, repository: this.#upstream, identity, ranges: this.#policy.ranges };
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

function hasCome(answer: Answer<unknown> | undefined): boolean {
  return answer?.outcome === 'miss' || answer?.outcome === 'coalesced';
}

/** It comes from the upstream each time, and has nothing of what is listed. */
function nothingNew(): boolean {
  return false;
}

const octetStream = 'application/octet-stream';

function answerOf<T>(value: T, outcome: Outcome): Answer<T> {
  return { value, outcome, ageSeconds: 0 };
}
