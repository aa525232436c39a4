import type { Candidate, Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';

export interface KeeperLimits {
  /** What cached blobs may take at most, in bytes. */
  readonly sizeBytesMax: number;
  /** What must stay free on the disk, in bytes. */
  freeBytesMin(totalBytes: number): number;
  /** What nobody has used for so long goes, in milliseconds; `Infinity` keeps it while there is room. */
  readonly unusedMsMax: number;
}

export interface KeeperContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly limits: KeeperLimits;
  /** False while there may be more that refers to a blob than the index knows: then nothing goes. */
  mayEvict(): boolean;
  readonly dispose: Dispose;
  /** True while somebody reads it, or it arrives: it is left alone. */
  isBusy(digest: Digest): boolean;
  /** What running downloads take. */
  arriving(): Arriving;
}

/** Deletes blobs that left the index from the store; resolves to the bytes that this freed. */
export type Dispose = (digests: readonly Digest[]) => Promise<number>;

/** Content on its way into the store. */
export interface Arriving {
  /** Its sizes, whole. */
  readonly bytes: number;
  /** What is still to be written of it. */
  readonly leftBytes: number;
}

/** How many images are looked at before asking for more. */
const batch = 32;

/**
 * Keeps the cache within its limits: the least recently used images go first, a blob only with its last reference.
 * What is hosted or pinned is never a candidate; what the upstream no longer has comes last.
 */
export class Keeper {
  readonly #context: KeeperContext;
  #running: Promise<void> | undefined;
  /** One at a time, or two would be granted the same room. */
  #granting: Promise<unknown> = Promise.resolve();
  /** Granted to what does not arrive yet. */
  #reservedBytes = 0;

  constructor(context: KeeperContext) {
    this.#context = context;
  }

  /** What is to be done now and then: whatever is too old goes, and whatever is too much. */
  async check(signal: AbortSignal): Promise<void> {
    await this.expire(signal);
    await this.trim(0, signal);
  }

  /**
   * Makes room for a blob that is about to arrive, and holds it free until it is disposed of, by when the blob counts as
   * arriving; `undefined` when it may not be held.
   */
  async makeRoom(bytes: number): Promise<Disposable | undefined> {
    const granted = this.#granting.then(() => this.#grant(bytes));
    this.#granting = granted.catch(() => {});
    return granted;
  }

  /** Evicts what nobody has used for as long as the configuration allows. */
  async expire(signal?: AbortSignal): Promise<void> {
    const { index, clock, limits } = this.#context;
    if (limits.unusedMsMax === Infinity || !this.#context.mayEvict()) return;
    for (;;) {
      if (signal?.aborted === true) return;
      const candidates = await index.keeping.candidates(batch);
      const before = clock.now() - limits.unusedMsMax;
      // What could not be fetched again is kept while there is room.
      const unused = candidates.filter(({ lastUsedMs, gone }) => lastUsedMs < before && !gone);
      let evicted = 0;
      for (const candidate of unused) {
        if (await this.#evict(candidate, 'nobody has used it for as long as the configuration allows')) evicted += 1;
      }
      if (evicted < batch) return;
    }
  }

  /** Evicts until the limits hold with `bytes` more. One run at a time; whoever asks meanwhile waits for it. */
  async trim(bytes: number, signal?: AbortSignal): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    this.#running = this.#evictWhile(
      async () => signal?.aborted !== true && (await this.#excessBytes(bytes)) > 0,
    ).finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  async #grant(bytes: number): Promise<Disposable | undefined> {
    const { index, limits } = this.#context;
    if (bytes > limits.sizeBytesMax) return undefined;
    const excessBytes = await this.#excessBytes(bytes);
    if (excessBytes > 0) {
      // Where even an empty cache would not do, emptying it would be for nothing.
      if (excessBytes > (await index.keeping.cachedBytes())) return undefined;
      await this.trim(bytes);
      if ((await this.#excessBytes(bytes)) > 0) return undefined;
    }
    this.#reservedBytes += bytes;
    return { [Symbol.dispose]: () => (this.#reservedBytes -= bytes) };
  }

  async #excessBytes(bytes: number): Promise<number> {
    const { index, store, limits, observer } = this.#context;
    const { freeBytes, totalBytes } = await store.capacity();
    const cachedBytes = await index.keeping.cachedBytes();
    const { heldBytes } = await index.repositories.statistics();
    // Looked at together: what has come to rest in between would count twice, or not at all.
    const arriving = this.#context.arriving();
    observer.emit({ type: 'cache.size', bytes: cachedBytes, limitBytes: limits.sizeBytesMax, heldBytes });
    const ahead = bytes + this.#reservedBytes;
    const overLimit = cachedBytes + arriving.bytes + ahead - limits.sizeBytesMax;
    const underFloor = limits.freeBytesMin(totalBytes) + arriving.leftBytes + ahead - freeBytes;
    return Math.max(overLimit, underFloor);
  }

  async #evictWhile(tooFull: () => Promise<boolean>): Promise<void> {
    let passedOver = 0;
    while (this.#context.mayEvict() && (await tooFull())) {
      const candidates = (await this.#context.index.keeping.candidates(batch + passedOver)).slice(passedOver);
      if (candidates.length === 0) return;
      for (const candidate of candidates) {
        if (!(await tooFull())) return;
        if (!(await this.#evict(candidate, 'the cache is full and this was used least recently'))) passedOver += 1;
      }
    }
  }

  /** False when it must stay for now. */
  async #evict(candidate: Candidate, reason: string): Promise<boolean> {
    const { index, observer } = this.#context;
    if (candidate.blob !== undefined && this.#context.isBusy(candidate.blob)) return false;
    const digests = await index.keeping.evict(candidate);
    if (digests.length === 0) return true;
    const bytes = await this.#context.dispose(digests);
    const digest = candidate.manifest ?? candidate.blob;
    if (digest === undefined) return true;
    observer.emit({
      type: 'cache.evicted',
      repository:
        candidate.repository === undefined ? '' : `${candidate.repository.upstream}/${candidate.repository.name}`,
      digest,
      bytes,
      reason,
    });
    return true;
  }
}
