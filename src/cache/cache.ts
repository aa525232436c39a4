import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { Recurring } from '../observe/recurring.ts';
import type { Task } from '../observe/recurring.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { Descriptor } from '../oci/manifest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Answer, Ask, Repository, RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Upstreams } from '../upstream/contract.ts';
import type { Cache, DownloadView, PurgeReport, WarmOptions, WarmReport } from './contract.ts';
import { Downloads } from './downloads.ts';
import type { Policy } from './freshness.ts';
import { findHeld } from './held.ts';
import { thisProcess } from './holder.ts';
import { Keeper } from './keeper.ts';
import type { Dispose, KeeperLimits } from './keeper.ts';
import { Leftovers } from './leftovers.ts';
import { OnceInCluster } from './once.ts';
import { Refusals } from './refusals.ts';
import { CachedRepository } from './repository.ts';
import type { RepositoryContext } from './repository-context.ts';
import { Scrub } from './scrub.ts';
import { Uses } from './uses.ts';
import { warm } from './warm.ts';
import type { Part } from './warm.ts';

export interface CacheOptions {
  readonly store: BlobStore;
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly limits: KeeperLimits;
  /** Whether all is known that may refer to a blob. Default: yes. */
  readonly mayEvict?: () => boolean;
  readonly dispose: Dispose;
  /** By the upstream's canonical name. Asked anew for every request, so that it may change while running. */
  policy(upstream: string): Policy;
  readonly mayRead: RepositoryContext['mayRead'];
  readonly recall: RepositoryContext['recall'];
  readonly isPublic: RepositoryContext['isPublic'];
  readonly witness: RepositoryContext['witness'];
  readonly doubt: RepositoryContext['doubt'];
}

/** In milliseconds. */
const minute = 60_000;
const hour = 60 * minute;

/** What has been used of an image is purged in pages of so many tags. */
const purgePage = 500;

export function createCache(options: CacheOptions): Cache & { recover(): Promise<void> } {
  return new TheCache(options);
}

class TheCache implements Cache {
  readonly #options: CacheOptions;
  readonly #downloads: Downloads;
  readonly #leftovers: Leftovers;
  readonly #keeper: Keeper;
  readonly #uses: Uses;
  readonly #context: RepositoryContext;
  readonly #scrub: Scrub;
  readonly #chores: readonly Recurring[];

  constructor(options: CacheOptions) {
    this.#options = options;
    const { store, index, clock, observer, limits, dispose } = options;
    const holder = thisProcess();
    const base = { store, index, clock, observer, holder };
    this.#downloads = new Downloads({ ...base, makeRoom: (bytes) => this.#keeper.makeRoom(bytes) });
    this.#leftovers = new Leftovers(base);
    this.#keeper = new Keeper({
      ...base,
      limits,
      mayEvict: options.mayEvict ?? (() => true),
      dispose,
      isBusy: (digest) => this.#downloads.find(digest) !== undefined,
      arriving: () => this.#downloads.arriving(),
    });
    this.#uses = new Uses(index.keeping, clock, (error) => this.#taskFailed('recording uses', error));
    this.#context = {
      ...options,
      downloads: this.#downloads,
      once: new OnceInCluster(index.leases, clock, holder),
      uses: this.#uses,
      refusals: new Refusals(),
    };
    this.#scrub = new Scrub({ ...base, refetch: (digest) => this.#refetch(digest) });
    const chores: readonly Task[] = [
      { name: 'eviction', firstAfterMs: minute, pauseMs: minute, run: (signal) => this.#keeper.check(signal) },
      { name: 'sweeping', firstAfterMs: hour, pauseMs: hour, run: () => this.#leftovers.settle() },
      // Bytes at rest rot slowly.
      { name: 'scrub', firstAfterMs: hour, pauseMs: 7 * 24 * hour, run: (signal) => this.#scrub.round(signal) },
    ];
    this.#chores = chores.map((chore) => new Recurring(chore, clock, observer));
  }

  repository(key: RepositoryKey): Repository {
    return this.#cached(key);
  }

  downloads(): readonly DownloadView[] {
    return this.#downloads.list();
  }

  warm(key: RepositoryKey, reference: Reference, options: WarmOptions): Promise<WarmReport> {
    return warm(this.repository(key), reference, options, {
      settled: async (digest) => this.#downloads.find(digest)?.ended,
      putAside: (digest, reason) => this.#scrub.putAside(digest, reason),
      whyUnkept: (part) => this.#whyUnkept(key, part),
    });
  }

  refresh(key: RepositoryKey, tag: Tag, ask: Ask): Promise<Answer<Descriptor> | undefined> {
    return this.repository(key).resolve(tag, { ...ask, revalidate: true });
  }

  async purge(key: RepositoryKey, reference: Reference | undefined): Promise<PurgeReport> {
    await this.#uses.flush();
    if (reference === undefined) return this.#purgeRepository(key);
    if (isDigestReference(reference)) return this.#purgeManifest(key, reference);
    const held = await this.#options.index.tags.find(key, reference);
    if (held === undefined) return nothing;
    await this.#options.index.tags.remove(key, reference);
    const report = held.digest === undefined ? nothing : await this.#purgeManifest(key, held.digest);
    return { ...report, tags: 1 };
  }

  /** Settles what an ended process left unfinished. */
  recover(): Promise<void> {
    return this.#leftovers.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Together: a chore may be waiting for a download.
    await Promise.all([this.#downloads.close(), ...this.#chores.map((chore) => chore[Symbol.asyncDispose]())]);
    await this.#uses.flush().catch((error: unknown) => this.#taskFailed('recording uses', error));
  }

  #cached(key: RepositoryKey): CachedRepository {
    const upstream = key.upstream === undefined ? undefined : this.#options.upstreams.find(key.upstream);
    if (upstream === undefined) {
      throw new RegistryError(
        'UPSTREAM_UNKNOWN',
        `no upstream is called "${key.upstream ?? ''}"; name it under "upstreams" in the configuration`,
        {
          origin: 'client',
        },
      );
    }
    const policy = this.#options.policy(upstream.name);
    return new CachedRepository(key, upstream.url, upstream.repository(key.name), policy, this.#context);
  }

  async #purgeManifest(key: RepositoryKey, digest: Digest): Promise<PurgeReport> {
    const { index, dispose } = this.#options;
    if ((await index.manifests.find(key, digest)) === undefined) return nothing;
    const candidate = { repository: key, manifest: digest, blob: undefined, lastUsedMs: 0, gone: false };
    const digests = await index.keeping.evict(candidate);
    const bytes = await dispose(digests).catch((error: unknown) => {
      throw withFilesLeft(error);
    });
    return { manifests: 1, tags: 0, blobs: digests.length, bytes };
  }

  async #purgeRepository(key: RepositoryKey): Promise<PurgeReport> {
    const { index } = this.#options;
    // Tags go with what they point at.
    let report = { ...nothing, tags: await countTags(index, key) };
    for (;;) {
      const page = await index.repositories.manifests(key, purgePage);
      if (page.length === 0) return report;
      for (const digest of page) {
        const one = await this.#purgeManifest(key, digest);
        report = sum(report, one);
      }
    }
  }

  /** From any repository that has earned it; nothing happens where none can be asked. */
  async #refetch(digest: Digest): Promise<void> {
    for (const key of await this.#options.index.blobs.members(digest)) {
      if (key.upstream === undefined || this.#options.upstreams.find(key.upstream) === undefined) continue;
      if (await this.#cached(key).fetch(digest)) return;
    }
  }

  async #whyUnkept(key: RepositoryKey, { digest, what }: Part): Promise<string | undefined> {
    const { index } = this.#options;
    const held = await (what === 'blob' ? findHeld(this.#options, digest) : index.manifests.find(key, digest));
    if (held !== undefined) return undefined;
    return (
      this.#downloads.whyUnkept(digest) ?? 'it did not stay: the log says why; if it was evicted, raise cache.size'
    );
  }

  #taskFailed(task: string, error: unknown): void {
    const message = messageOf(error);
    this.#options.observer.emit({ type: 'task.failed', task, message });
  }
}

const nothing: PurgeReport = { manifests: 0, tags: 0, blobs: 0, bytes: 0 };

/** The index has let it go by then. */
function withFilesLeft(error: unknown): unknown {
  if (!(error instanceof RegistryError) || error.origin !== 'store') return error;
  const { code, message, origin, detail } = error;
  const rest = 'it is forgotten all the same, and its files go with the next collection (entrepot gc)';
  return new RegistryError(code, `${message}; ${rest}`, { origin, detail, cause: error });
}

async function countTags(index: Index, key: RepositoryKey): Promise<number> {
  let count = 0;
  for (let last: string | undefined; ;) {
    const { items, next } = await index.tags.list(key, { limit: purgePage, last });
    count += items.length;
    if (next === undefined) return count;
    last = next;
  }
}

function sum(a: PurgeReport, b: PurgeReport): PurgeReport {
  return {
    manifests: a.manifests + b.manifests,
    tags: a.tags + b.tags,
    blobs: a.blobs + b.blobs,
    bytes: a.bytes + b.bytes,
  };
}
