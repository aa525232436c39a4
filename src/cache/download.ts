import { isIndexFailure } from '../index/remember.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { downloadKeyOf } from '../index/settling.ts';
import { parseState } from './download-state.ts';
import { Fetching } from './fetching.ts';
import { Following } from './following.ts';
import { takeHeld } from './held.ts';
import { fateOf } from './holder.ts';
import type { Arriving } from './keeper.ts';
import type { Phase } from './phase.ts';
import { Report } from './report.ts';
import { Stage } from './stage.ts';
import { Tenure } from './tenure.ts';
import type { TenureContext } from './tenure.ts';
import { Sources } from './sources.ts';
import type { Source } from './sources.ts';

export interface DownloadContext extends TenureContext {
  readonly store: BlobStore;
  /** Room for so many bytes, to be disposed of once they arrive; `undefined` when the cache may not hold them. */
  makeRoom(bytes: number): Promise<Disposable | undefined>;
  /** How often to publish what has arrived, in milliseconds: seldom when many downloads run. */
  publishMs(): number;
  /** Somebody has sent wrong bytes of it. */
  onLie(digest: Digest): void;
  /** It is served and not kept. */
  onUnkept(digest: Digest, reason: string): void;
}

/**
 * One blob on its way in. It belongs to the table of downloads, never to a request: readers come and go, it goes on.
 *
 * ```
 *   seeking ──acquired──► fetching ──all there, digest right──► verified ──synced, renamed, indexed──► stored
 *    ▲ │ ▲                 │ │ │ └─wrong digest, upstream gave up──► failed            (readers read the store)
 *    │ │ └─epoch lost, no──┘ │ └─the upstream does not have it──► absent
 *    │ │   readers           └─the store or the index fails, no room, epoch lost─► unstored (readers read what is there,
 *    │ └─somebody has it──► following ─stored by the other─► stored                   ▲      then from the upstream)
 *    └─────lease free──────┘     └─the other's bytes will never be verified───────────┘
 * ```
 *
 * Fetching, verified and following are one phase to a reader, `growing`: extents say what can be read. Only the holder
 * of the lease `blob:DIGEST` writes, into an ingest that carries the lease's epoch; it publishes its extents with the
 * lease, for other processes to follow and for a successor to resume.
 *
 * The left of the picture is `Fetching`, the lower middle `Following`; what readers see of either is the `Stage`.
 */
export class Download {
  readonly digest: Digest;
  /** Who asked for it first. */
  readonly source: Source;
  readonly #sources: Sources;
  readonly #context: DownloadContext;
  readonly #stage: Stage;
  readonly #following: Following;
  readonly #fetching: Fetching;
  readonly #ended = Promise.withResolvers<void>();
  readonly #closing = new AbortController();
  #settled = false;

  /** @param expectedSize in bytes, where a manifest tells */
  constructor(digest: Digest, source: Source, expectedSize: number | undefined, context: DownloadContext) {
    this.digest = digest;
    this.source = source;
    this.#sources = new Sources(source);
    this.#context = context;
    const report = new Report(digest, source.key, context.observer, context.clock);
    this.#stage = new Stage(
      report,
      () => context.onLie(digest),
      (reason) => context.onUnkept(digest, reason),
    );
    this.#following = new Following(digest, context, this.#stage);
    const wanted = { digest, sources: this.#sources, key: source.key, expectedSize };
    this.#fetching = new Fetching(wanted, context, this.#stage, this.#following, this.#closing.signal);
  }

  /** Resolves to the size in bytes once the content can be served, to `undefined` when the upstream does not have it. */
  get opened(): Promise<number | undefined> {
    return this.#stage.opened;
  }

  /** Resolves when nothing more will arrive, however it ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get phase(): Phase {
    return this.#stage.phase;
  }

  /** Resolves when the phase is another than it was. */
  get changed(): Promise<void> {
    return this.#stage.changed;
  }

  get readers(): number {
    return this.#stage.readers;
  }

  /** Whether the source itself has answered for these bytes; see `Stage`. */
  get earned(): boolean {
    return this.#stage.earned;
  }

  /** In bytes, once it is known. */
  get size(): number | undefined {
    const { phase } = this;
    return 'growth' in phase && phase.growth.size !== Infinity ? phase.growth.size : undefined;
  }

  get arrivedBytes(): number {
    return this.#stage.arrivedBytes;
  }

  /** What it takes of the cache's room until the index counts it. */
  get arriving(): Arriving {
    return this.#stage.arriving;
  }

  /** Another place to fetch it from, should the first break off. */
  offer(source: Source): void {
    this.#sources.offer(source);
  }

  join(): void {
    this.#stage.readers += 1;
  }

  async leave(): Promise<void> {
    this.#stage.readers -= 1;
    await this.#tidy();
  }

  /** A reader, past the store, has found out that the source sends something else. */
  blame(reason: string): void {
    this.#stage.lied(reason);
  }

  /** Brings the blob in. Never throws: how it ended is in the phase. */
  async run(): Promise<void> {
    try {
      await this.#bring();
    } catch (error) {
      this.#stage.fail(error, this.#closing.signal.aborted ? 'suspended' : 'failed');
    }
    this.#settled = true;
    this.#ended.resolve();
    await this.#tidy();
  }

  /** Ends the work in an orderly way: what has arrived is left to be resumed. */
  suspend(): void {
    this.#closing.abort(
      new RegistryError('UNAVAILABLE', 'the server is shutting down; ask again', { origin: 'entrepot' }),
    );
  }

  async #bring(): Promise<void> {
    try {
      while (!this.#stage.isOver) await this.#seek();
    } catch (error) {
      if (!isIndexFailure(error) || this.#stage.isOver) throw error;
      if (!(await this.#following.part(undefined))) await this.#fetching.pass(error);
    }
  }

  async #seek(): Promise<void> {
    this.#closing.signal.throwIfAborted();
    await using tenure = await Tenure.acquire(this.digest, this.#context);
    if (tenure === undefined) return await this.#followOrInherit();
    const blob = await takeHeld(this.#context, this.digest);
    if (blob === undefined) return await this.#fetching.run(tenure);
    await this.#fetching.record(blob, tenure.lease);
    const parted = await this.#following.part(parseState(tenure.left?.state ?? '')?.ingest);
    if (!parted) this.#stage.become({ kind: 'stored', blob });
  }

  async #followOrInherit(): Promise<void> {
    const { leases } = this.#context.index;
    const view = await leases.peek(downloadKeyOf(this.digest));
    if (view === undefined) return;
    if (fateOf(view.holder) !== 'unknown') return leases.release(view, view.state);
    const { blob, ingest } = await this.#following.run(this.#closing.signal);
    if (await this.#following.part(ingest)) return;
    this.#stage.become(blob === undefined ? { kind: 'seeking' } : { kind: 'stored', blob });
  }

  /** Readers of a file keep it open; the last one out closes it. */
  async #tidy(): Promise<void> {
    if (!this.#settled || this.#stage.readers > 0) return;
    const { phase } = this.#stage;
    if (phase.kind === 'unstored') this.#stage.become({ ...phase, bytes: undefined });
    await this.#fetching.closeFile();
    await this.#following.closeFiles();
  }
}
