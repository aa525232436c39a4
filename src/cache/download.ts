import { Assembly } from '../bytes/assembly.ts';
import { Growth } from '../bytes/growth.ts';
import type { Clock } from '../observe/clock.ts';
import type { DownloadEvent, Observer } from '../observe/events.ts';
import type { BlobReader, ByteSource } from '../oci/blob.ts';
import { algorithmOf, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Index, Lease, LeaseView } from '../index/contract.ts';
import type { BlobStore, Ingest } from '../store/blob-store.ts';
import { formatState, ingestNameOf, leaseKeyOf, parseState } from './download-state.ts';
import type { DownloadState } from './download-state.ts';
import { follow } from './follow.ts';
import { fateOf } from './holder.ts';
import type { Holder } from './holder.ts';
import type { Fork } from './passage.ts';
import { Transfer } from './transfer.ts';
import type { Source, Target } from './transfer.ts';

/** A holder that has not renewed for this long has lost its lease, in milliseconds. */
export const leaseMs = 10_000;

export interface DownloadContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly holder: Holder;
  /** Makes room for so many bytes; false when the cache may not hold them. */
  makeRoom(bytes: number): Promise<boolean>;
  /** How often to publish what has arrived, in milliseconds: seldom when many downloads run. */
  publishMs(): number;
}

/** Where a reader finds the bytes now; see the picture at `Download`. */
export type Phase =
  | { readonly kind: 'seeking' }
  | { readonly kind: 'growing'; readonly growth: Growth; readonly bytes: Pick<ByteSource, 'read'> }
  | {
      readonly kind: 'unstored';
      readonly growth: Growth;
      readonly bytes: Pick<ByteSource, 'read'> | undefined;
      readonly fork: Fork;
    }
  | { readonly kind: 'stored'; readonly blob: BlobReader }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: Error };

/**
 * One blob on its way in. It belongs to the table of downloads, never to a request: readers come and go, it goes on.
 *
 * ```
 *   seeking ──acquired──► fetching ──all there, digest right──► verified ──synced, renamed, indexed──► stored
 *    ▲ │ ▲                 │ │ │ └─wrong digest, upstream gave up──► failed            (readers read the store)
 *    │ │ └───epoch lost────┘ │ └─the upstream does not have it──► absent
 *    │ └─somebody has it──►  │
 *    │              following│ └─the store fails, or may not hold it──► unstored   (readers read what is there,
 *    └─────lease free────┘ └─stored by the other──► stored                          then straight from the upstream)
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
  readonly #startedMs: number;
  #phase: Phase = { kind: 'seeking' };
  #changed = Promise.withResolvers<void>();
  #transfer: Transfer | undefined;
  #ingest: Ingest | undefined;
  #readers = 0;
  #settled = false;

  constructor(digest: Digest, source: Source, expectedSize: number | undefined, context: DownloadContext) {
    this.digest = digest;
    this.source = source;
    this.#expectedSize = expectedSize;
    this.#context = context;
    this.#startedMs = context.clock.monotonic();
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

  get arrivedBytes(): number {
    return 'growth' in this.#phase ? this.#phase.growth.extents.bytes : 0;
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
      this.#fail(error);
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
    const { store, index, clock, holder } = this.#context;
    this.#closing.signal.throwIfAborted();
    const key = leaseKeyOf(this.digest);
    const before = await index.leases.peek(key);
    const lease = await index.leases.acquire(key, holder, leaseMs, clock.now());
    if (lease === undefined) return this.#followOrInherit(await index.leases.peek(key));
    const held = await store.find(this.digest);
    if (held === undefined) return this.#fetch(lease, before);
    await this.#record(held, lease);
    await index.leases.release(lease, '');
    this.#become({ kind: 'stored', blob: held });
  }

  async #followOrInherit(view: LeaseView | undefined): Promise<void> {
    if (view === undefined) return;
    if (fateOf(view.holder) !== 'unknown') return this.#context.index.leases.release(view, view.state);
    this.#tell('following');
    const { store, index, clock } = this.#context;
    const held = await follow(this.digest, store, index, clock, this.#closing.signal, (growth, bytes) => {
      this.#become({ kind: 'growing', growth, bytes });
      this.#open(growth.size);
    });
    this.#become(held === undefined ? { kind: 'seeking' } : { kind: 'stored', blob: held });
  }

  async #fetch(lease: Lease, left: LeaseView | undefined): Promise<void> {
    const resumed = await this.#resume(left);
    const assembling: { assembly: Assembly | undefined; name: DownloadState['ingest'] } = {
      assembly: resumed?.assembly,
      name: resumed?.name ?? ingestNameOf(this.digest, lease.epoch),
    };
    const begin = async (size: number | undefined): Promise<Target> => {
      assembling.assembly = await this.#begin(size ?? Infinity, assembling.name);
      return this.#target(assembling.assembly);
    };
    const target = resumed === undefined ? undefined : this.#target(resumed.assembly);
    const transfer = new Transfer(this.digest, this.source, this.#expectedSize, target, begin, this.#context.clock);
    this.#transfer = transfer;
    if (resumed === undefined) this.#tell('started');
    const stopPublishing = this.#publish(lease, assembling, transfer);
    let outcome: 'complete' | 'absent';
    try {
      outcome = await transfer.run();
      if (outcome === 'complete') await assembling.assembly?.verified;
    } catch (error) {
      await stopPublishing();
      return this.#brokeOff(error, lease, assembling.assembly, assembling.name);
    }
    await stopPublishing();
    if (outcome === 'absent' || assembling.assembly === undefined) {
      this.#become({ kind: 'absent' });
      return this.#context.index.leases.release(lease, '');
    }
    await this.#commit(lease, assembling.assembly);
  }

  /** Takes over what an ended process, or one that was shut down in an orderly way, has left. */
  async #resume(
    left: LeaseView | undefined,
  ): Promise<{ assembly: Assembly; name: DownloadState['ingest'] } | undefined> {
    const state = left === undefined ? undefined : parseState(left.state);
    if (left === undefined || state?.size === undefined) return undefined;
    const trusted = left.expiresAtMs === 0 ? fateOf(left.holder) !== 'rebooted' : fateOf(left.holder) === 'ended';
    if (!trusted || (this.#expectedSize !== undefined && this.#expectedSize !== state.size)) return undefined;
    const ingest = await this.#context.store.ingest(state.ingest, 'resume');
    if (ingest === undefined) return undefined;
    this.#ingest = ingest;
    const growth = new Growth(state.size, state.extents, () => this.#transfer?.pump());
    const assembly = this.#assemble(growth, ingest);
    this.#become({ kind: 'growing', growth, bytes: ingest });
    this.#tell('resumed');
    return { assembly, name: state.ingest };
  }

  /** The upstream has answered: the content can be served from now on. */
  async #begin(size: number, name: DownloadState['ingest']): Promise<Assembly> {
    const growth = new Growth(size, [], () => this.#transfer?.pump());
    const { store } = this.#context;
    const unstored = (): void => {
      const fork = { position: 0, hash: startHash(algorithmOf(this.digest)) };
      this.#become({ kind: 'unstored', growth, bytes: undefined, fork });
    };
    if (!(await this.#context.makeRoom(size === Infinity ? 0 : size))) {
      unstored();
      throw new RegistryError('UNAVAILABLE', 'larger than the cache may be', { origin: 'store' });
    }
    try {
      this.#ingest = await store.ingest(name, 'new');
    } catch (error) {
      unstored();
      throw error;
    }
    this.#become({ kind: 'growing', growth, bytes: this.#ingest });
    this.#open(size);
    return this.#assemble(growth, this.#ingest);
  }

  #assemble(growth: Growth, ingest: Ingest): Assembly {
    return new Assembly(this.digest, growth, (into, position) => ingest.read(into, position));
  }

  #target(assembly: Assembly): Target {
    return {
      growth: assembly.growth,
      write: async (chunk, position) => {
        await this.#ingest?.write(chunk, position);
        assembly.add(chunk, position);
        this.#open(assembly.growth.size);
      },
      endAt: (size) => assembly.endAt(size),
    };
  }

  /** Renews the lease and says what has arrived, until stopped. Losing the epoch stops the transfer. */
  #publish(
    lease: Lease,
    about: { assembly: Assembly | undefined; name: DownloadState['ingest'] },
    transfer: Transfer,
  ): () => Promise<void> {
    const { index, clock } = this.#context;
    const stopped = new AbortController();
    const loop = async (): Promise<void> => {
      let said = '';
      let renewedMs = clock.monotonic();
      while (!stopped.signal.aborted) {
        await clock.sleep(this.#context.publishMs(), stopped.signal).catch(() => {});
        const state = this.#stateOf(about.assembly, about.name);
        if (stopped.signal.aborted || (state === said && clock.monotonic() - renewedMs < leaseMs / 3)) continue;
        said = state;
        renewedMs = clock.monotonic();
        if (await index.leases.renew(lease, state, leaseMs, clock.now())) continue;
        return transfer.stop(new EpochLost());
      }
    };
    const running = loop().catch((error: unknown) => transfer.stop(error instanceof Error ? error : new EpochLost()));
    return async () => {
      stopped.abort();
      await running;
    };
  }

  #stateOf(assembly: Assembly | undefined, ingest: DownloadState['ingest']): string {
    if (assembly === undefined) return '';
    const { size, extents } = assembly.growth;
    return formatState({ ingest, size: size === Infinity ? undefined : size, extents: extents.toJSON() });
  }

  async #commit(lease: Lease, assembly: Assembly): Promise<void> {
    const verified = await assembly.verified;
    assembly.growth.verify();
    this.#opened.resolve(verified.size);
    try {
      const blob = await this.#ingest?.commit(verified);
      if (blob === undefined) throw new RegistryError('UNAVAILABLE', 'nothing was written', { origin: 'store' });
      await this.#record(blob, lease);
      this.#become({ kind: 'stored', blob });
      this.#tell('stored');
    } catch (error) {
      this.#storeFailed('commit', error);
      this.#keepUnstored(assembly);
    }
    await this.#context.index.leases.release(lease, '');
  }

  async #record(blob: BlobReader, lease: Lease): Promise<void> {
    const { index, clock } = this.#context;
    await index.blobs.store(this.digest, blob.size, lease, clock.now());
    await index.blobs.addMember(this.source.key, this.digest, clock.now());
  }

  async #brokeOff(
    error: unknown,
    lease: Lease,
    assembly: Assembly | undefined,
    name: DownloadState['ingest'],
  ): Promise<void> {
    if (error instanceof EpochLost) return this.#become({ kind: 'seeking' });
    const failure = error instanceof RegistryError ? error : undefined;
    if (failure?.origin === 'store' && this.#phase.kind !== 'seeking') {
      this.#storeFailed('write', error);
      if (assembly !== undefined) this.#keepUnstored(assembly);
      return this.#context.index.leases.release(lease, '');
    }
    const lied = failure?.code === 'DIGEST_INVALID';
    const ingest = this.#ingest;
    this.#ingest = undefined;
    if (lied) await ingest?.[Symbol.asyncDispose]();
    else await ingest?.suspend();
    await this.#context.index.leases.release(lease, lied ? '' : this.#stateOf(assembly, name));
    if (!lied) throw error;
    this.#context.observer.emit({
      type: 'upstream.lied',
      upstream: this.source.key.upstream ?? '',
      repository: this.source.key.name,
      digest: this.digest,
      reason: failure.message,
    });
    throw new RegistryError('UPSTREAM_INVALID', failure.message, { cause: failure });
  }

  /** Who is being served keeps being served: from what was written as far as it goes. */
  #keepUnstored(assembly: Assembly): void {
    if (this.#phase.kind !== 'growing') return;
    const { growth, bytes } = this.#phase;
    this.#become({ kind: 'unstored', growth, bytes, fork: assembly.fork() });
  }

  #storeFailed(operation: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof RegistryError && typeof error.detail === 'string' ? error.detail : 'UNKNOWN';
    this.#context.observer.emit({ type: 'store.failed', operation, code, message });
    this.#tell('unstored', message);
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
    const ingest = this.#ingest;
    this.#ingest = undefined;
    await ingest?.[Symbol.asyncDispose]();
  }

  #tell(step: DownloadEvent['step'], reason?: string): void {
    const { key } = this.source;
    this.#context.observer.emit({
      type: 'download',
      step,
      upstream: key.upstream ?? '',
      repository: key.name,
      digest: this.digest,
      bytes: this.arrivedBytes,
      ms: this.#context.clock.monotonic() - this.#startedMs,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}

/** Another holder has the lease: what we fetch is not wanted any more. */
class EpochLost extends Error {
  override readonly name = 'EpochLost';

  constructor() {
    super('another process has taken this download over');
  }
}
