import { Growth } from '../bytes/growth.ts';
import type { Lease } from '../index/contract.ts';
import { isIndexFailure } from '../index/remember.ts';
import type { DownloadEvent } from '../observe/events.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { Arrival } from './arrival.ts';
import { leaseKeyOf, parseState } from './download-state.ts';
import { follow } from './follow.ts';
import type { Followed } from './follow.ts';
import { forkAtStart, hashOn } from './fork.ts';
import { takeHeld } from './held.ts';
import { fateOf } from './holder.ts';
import type { Arriving } from './keeper.ts';
import type { Phase } from './phase.ts';
import { EpochLost } from './publishing.ts';
import { Report } from './report.ts';
import { Tenure } from './tenure.ts';
import type { TenureContext } from './tenure.ts';
import { Transfer } from './transfer.ts';
import type { Source, Target } from './transfer.ts';

export interface DownloadContext extends TenureContext {
  readonly store: BlobStore;
  /** Room for so many bytes, to be disposed of once they arrive; `undefined` when the cache may not hold them. */
  makeRoom(bytes: number): Promise<Disposable | undefined>;
  /** How often to publish what has arrived, in milliseconds: seldom when many downloads run. */
  publishMs(): number;
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
 */
export class Download {
  readonly digest: Digest;
  readonly source: Source;
  readonly #context: DownloadContext;
  readonly #expectedSize: number | undefined;
  readonly #opened = Promise.withResolvers<number | undefined>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #closing = new AbortController();
  readonly #report: Report;
  #phase: Phase = { kind: 'seeking' };
  #changed = Promise.withResolvers<void>();
  #transfer: Transfer | undefined;
  #arrival: Arrival | undefined;
  #followed: Followed | undefined;
  readonly #borrowed = new AsyncDisposableStack();
  #readers = 0;
  #settled = false;
  #earned = false;
  #indexed = false;

  constructor(digest: Digest, source: Source, expectedSize: number | undefined, context: DownloadContext) {
    this.digest = digest;
    this.source = source;
    this.#expectedSize = expectedSize;
    this.#context = context;
    this.#report = new Report(digest, source.key, context.observer, context.clock);
    this.#opened.promise.catch(() => {});
  }

  /** Resolves to the size in bytes once the content can be served, to `undefined` when the upstream does not have it. */
  get opened(): Promise<number | undefined> {
    return this.#opened.promise;
  }

  /** Resolves when nothing more will arrive, however it ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get readers(): number {
    return this.#readers;
  }

  /**
   * Whether the source itself has answered for these bytes. They may also have been at rest already, or come by way of
   * another process: then they are perhaps not for everybody who may read the source.
   */
  get earned(): boolean {
    return this.#earned;
  }

  get arrivedBytes(): number {
    if (this.#phase.kind === 'stored') return this.#phase.blob.size;
    return 'growth' in this.#phase ? this.#phase.growth.extents.bytes : 0;
  }

  /** What it takes of the cache's room until the index counts it. */
  get arriving(): Arriving {
    if (this.#phase.kind !== 'growing' || this.#indexed) return { bytes: 0, leftBytes: 0 };
    const { size, extents } = this.#phase.growth;
    return size === Infinity
      ? { bytes: extents.bytes, leftBytes: 0 }
      : { bytes: size, leftBytes: size - extents.bytes };
  }

  /** Resolves when the phase is another than it was. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  join(): void {
    this.#readers += 1;
  }

  async leave(): Promise<void> {
    this.#readers -= 1;
    await this.#tidy();
  }

  /** Brings the blob in. Never throws: how it ended is in the phase. */
  async run(): Promise<void> {
    try {
      while (!this.#isOver) await this.#seek();
    } catch (error) {
      if (isIndexFailure(error) && !this.#isOver) await this.#pass(error);
      else this.#fail(error);
    }
    this.#settled = true;
    this.#ended.resolve();
    await this.#tidy();
  }

  /** Ends the work in an orderly way: what has arrived is left to be resumed. */
  suspend(): void {
    const reason = new RegistryError('UNAVAILABLE', 'the server is shutting down; ask again', { origin: 'entrepot' });
    this.#closing.abort(reason);
    this.#transfer?.stop(reason);
  }

  async #seek(): Promise<void> {
    this.#closing.signal.throwIfAborted();
    await using tenure = await Tenure.acquire(this.digest, this.#context);
    if (tenure === undefined) return await this.#followOrInherit();
    const held = await takeHeld(this.#context, this.digest);
    if (held === undefined) return await this.#fetch(tenure);
    await this.#record(held, tenure.lease);
    if (!(await this.#part(parseState(tenure.left?.state ?? '')?.ingest))) this.#become({ kind: 'stored', blob: held });
  }

  async #followOrInherit(): Promise<void> {
    const { store, index, clock } = this.#context;
    const view = await index.leases.peek(leaseKeyOf(this.digest));
    if (view === undefined) return;
    if (fateOf(view.holder) !== 'unknown') return index.leases.release(view, view.state);
    this.#tell('following');
    const { blob, ingest } = await follow(this.digest, store, index, clock, this.#closing.signal, (followed) => {
      this.#followed = followed;
      this.#borrowed.use(followed.bytes);
      this.#become({ kind: 'growing', growth: followed.growth, bytes: followed.bytes });
      this.#open(followed.growth.size);
    });
    if (await this.#part(ingest)) return;
    this.#become(blob === undefined ? { kind: 'seeking' } : { kind: 'stored', blob });
  }

  /**
   * Where the bytes are to come from another ingest than the one that was followed so far, nobody will say whether that
   * one was right: its readers must not end with another's bytes. They go on by a passage, which verifies what they have.
   */
  async #part(ingest: string | undefined): Promise<boolean> {
    const followed = this.#followed;
    if (followed === undefined || followed.ingest === ingest) return false;
    this.#followed = undefined;
    if (this.#readers === 0) return false;
    const { growth, bytes } = followed;
    const fork = await hashOn(this.digest, forkAtStart(this.digest), growth, bytes);
    this.#tell('unstored', 'whoever brought it in has gone');
    this.#become({ kind: 'unstored', growth, bytes, fork });
    return true;
  }

  async #fetch(tenure: Tenure): Promise<void> {
    const { lease, left } = tenure;
    const pump = (): void => this.#transfer?.pump();
    const resumed = await Arrival.resume(this.#context.store, this.digest, left, this.#expectedSize, pump);
    if (await this.#part(resumed?.name)) {
      await this.#letGo(resumed?.suspend());
      return tenure.release(left?.state ?? '');
    }
    if (resumed !== undefined) this.#arrive(resumed);
    this.#tell(resumed === undefined ? 'started' : 'resumed');
    const begin = (size: number | undefined): Promise<Target> =>
      this.#begin(lease, new Growth(size ?? Infinity, [], pump));
    const transfer = this.#transferTo(resumed === undefined ? undefined : this.#targetOf(resumed), begin);
    tenure.publish(
      () => this.#context.publishMs(),
      () => this.#arrival?.state ?? '',
      (reason) => transfer.stop(reason),
    );
    try {
      const outcome = await transfer.run();
      if (outcome === 'complete') await this.#arrival?.verified;
    } catch (error) {
      return this.#brokeOff(error, tenure);
    }
    if (this.#arrival === undefined) this.#become({ kind: 'absent' });
    else await this.#commit(this.#arrival, lease);
    // Those who follow learn from the state that it was this ingest that was stored.
    if (this.#phase.kind === 'stored') await tenure.release(this.#arrival?.state ?? '');
  }

  /** The index is of no use: nothing can be kept that it knows nothing of. Whoever asks is served all the same. */
  async #pass(reason: RegistryError): Promise<void> {
    if (await this.#part(undefined)) return;
    const begin = (size: number | undefined): Promise<never> =>
      this.#refuse(new Growth(size ?? Infinity, [], () => {}), reason);
    try {
      await this.#transferTo(undefined, begin).run();
      this.#become({ kind: 'absent' });
    } catch (error) {
      if (!this.#isOver) return this.#fail(error);
      await this.#keepUnstored('index', reason);
    }
  }

  #transferTo(target: Target | undefined, begin: (size: number | undefined) => Promise<Target>): Transfer {
    this.#transfer = new Transfer(this.digest, this.source, this.#expectedSize, target, begin, this.#context.clock);
    // Suspended while it was looking around: there was no transfer to be stopped yet.
    if (this.#closing.signal.aborted) this.#transfer.stop(this.#closing.signal.reason as Error);
    return this.#transfer;
  }

  /** The upstream has answered: the content can be served from now on, if only straight from there. */
  async #begin(lease: Lease, growth: Growth): Promise<Target> {
    this.#earned = true;
    try {
      using room = await this.#context.makeRoom(growth.size === Infinity ? 0 : growth.size);
      if (room === undefined) {
        throw new RegistryError('UNAVAILABLE', 'the cache has no room for it', {
          origin: 'store',
          detail: { code: 'NOROOM' },
        });
      }
      const arrival = await Arrival.begin(this.#context.store, this.digest, lease.epoch, growth);
      this.#arrive(arrival);
      this.#open(growth.size);
      return this.#targetOf(arrival);
    } catch (error) {
      return this.#refuse(growth, error);
    }
  }

  async #refuse(growth: Growth, reason: unknown): Promise<never> {
    this.#earned = true;
    const fork = forkAtStart(this.digest);
    if (growth.size !== Infinity) this.#become({ kind: 'unstored', growth, bytes: undefined, fork });
    throw reason;
  }

  #arrive(arrival: Arrival): void {
    this.#arrival = arrival;
    this.#become({ kind: 'growing', growth: arrival.growth, bytes: arrival });
  }

  /** What was resumed is served only once the upstream has sent more of it, or all of it turned out to be there. */
  #targetOf(arrival: Arrival): Target {
    return {
      growth: arrival.growth,
      write: async (chunk, position) => {
        this.#earned = true;
        await arrival.write(chunk, position);
        this.#open(arrival.growth.size);
      },
      endAt: (size) => arrival.endAt(size),
    };
  }

  async #commit(arrival: Arrival, lease: Lease): Promise<void> {
    arrival.growth.verify();
    this.#open(arrival.growth.size);
    try {
      const blob = await arrival.commit();
      await this.#record(blob, lease);
      this.#become({ kind: 'stored', blob });
      this.#tell('stored');
    } catch (error) {
      await this.#keepUnstored('commit', error);
    }
  }

  async #record(blob: BlobReader, lease: Lease): Promise<void> {
    const { index, clock } = this.#context;
    await index.blobs.store(this.digest, blob.size, lease, clock.now());
    this.#indexed = true;
    if (this.#earned) await index.blobs.addMember(this.source.key, this.digest, clock.now());
  }

  async #brokeOff(error: unknown, tenure: Tenure): Promise<void> {
    const failure = error instanceof RegistryError ? error : undefined;
    if ((failure?.origin === 'store' || isIndexFailure(error)) && this.#phase.kind !== 'seeking') {
      await this.#keepUnstored(isIndexFailure(error) ? 'index' : 'write', error);
      if (this.#isOver) return;
      throw error;
    }
    if (error instanceof EpochLost && this.#readers > 0) {
      await this.#serveOn(error.message);
      if (this.#isOver) return;
    }
    const arrival = this.#arrival;
    this.#arrival = undefined;
    if (error instanceof EpochLost) {
      this.#become({ kind: 'seeking' });
      return this.#letGo(arrival?.[Symbol.asyncDispose]());
    }
    // Failed first, so that nobody joins what is being closed.
    if (failure?.code !== 'DIGEST_INVALID') {
      this.#fail(error);
      await this.#letGo(arrival?.suspend());
      return tenure.release(arrival?.state ?? '');
    }
    this.#fail(new RegistryError('UPSTREAM_INVALID', failure.message, { cause: failure }));
    this.#report.lied(failure.message);
    await this.#letGo(arrival?.[Symbol.asyncDispose]());
  }

  async #keepUnstored(operation: string, error: unknown): Promise<void> {
    this.#report.storeFailed(operation, error);
    await this.#serveOn(error instanceof Error ? error.message : String(error));
  }

  /**
   * It will not be kept; who is being served keeps being served, from what was written as far as it goes. Nobody is while
   * the size is not known.
   */
  async #serveOn(reason: string): Promise<void> {
    this.#tell('unstored', reason);
    if (this.#phase.kind !== 'growing' || this.#arrival === undefined) return;
    const { growth, bytes } = this.#phase;
    if (growth.size === Infinity) return;
    const fork = await hashOn(this.digest, this.#arrival.fork(), growth, bytes);
    this.#become({ kind: 'unstored', growth, bytes, fork });
  }

  #fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#tell(this.#closing.signal.aborted ? 'suspended' : 'failed', failure.message);
    this.#become({ kind: 'failed', error: failure });
  }

  #become(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    if (phase.kind === 'stored') this.#open(phase.blob.size);
    else if (phase.kind === 'unstored') this.#open(phase.growth.size);
    else if (phase.kind === 'absent') this.#opened.resolve(undefined);
    else if (phase.kind === 'failed') this.#opened.reject(phase.error);
    if (before.kind === 'growing' && phase.kind === 'failed') before.growth.fail(phase.error);
    else if (before.kind === 'growing') before.growth.retire();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #open(size: number): void {
    if (size !== Infinity) this.#opened.resolve(size);
  }

  get #isOver(): boolean {
    return this.#phase.kind !== 'seeking' && this.#phase.kind !== 'growing';
  }

  /** Readers of an ingest keep it open; the last one out closes it. */
  async #tidy(): Promise<void> {
    if (!this.#settled || this.#readers > 0) return;
    const arrival = this.#arrival;
    this.#arrival = undefined;
    if (this.#phase.kind === 'unstored') this.#become({ ...this.#phase, bytes: undefined });
    await this.#letGo(arrival?.[Symbol.asyncDispose]());
    await this.#letGo(this.#borrowed.disposeAsync());
  }

  /** A file that cannot be put away is left to the sweep: nobody's answer depends on it. */
  async #letGo(putAway: Promise<void> | undefined): Promise<void> {
    await putAway?.catch((error: unknown) => this.#report.storeFailed('discard', error));
  }

  #tell(step: DownloadEvent['step'], reason?: string): void {
    this.#report.step(step, this.arrivedBytes, reason);
  }
}
