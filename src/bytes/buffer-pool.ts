import { Slabs } from './slabs.ts';
import { Turns } from './turns.ts';

/**
 * Lends read buffers to everybody who sends blobs, out of one memory budget.
 *
 * A reader alone gets large buffers (few system calls a gibibyte); many readers, and readers whose clients are slow, get
 * small ones: memory follows the speed of the network, not the number of clients times the largest buffer.
 */
export interface BufferPoolOptions {
  /** Shared by all readers. The smallest buffers are lent beyond it: a limit on connections bounds those. */
  readonly budgetBytes?: number;
  /** What a reader begins with, before its speed is known; a power of two. */
  readonly firstBytes?: number;
  /** What the fastest get; a power of two. */
  readonly largestBytes?: number;
  /** Of memory that threads may read, too. */
  readonly shared?: boolean;
}

export const bufferBytesMin: number = 32 * 1024;
/**
 * Of those who send. Half of it costs a quarter more processor time; twice of it a tenth less, but others wait for their
 * turn for longer (docs/decisions/0019).
 */
export const bufferBytesMax: number = 512 * 1024;
/** Half of the most: a layer of some megabytes is over before its reader's speed is known. */
const firstBytesDefault = 256 * 1024;
/** A buffer holds what goes out in this time. */
const bufferMs = 50;
/**
 * Speed is measured over so long, or so much, and believed slowly when it is high: the kernels on both sides take ten
 * megabytes at once for the slowest of readers, and then nothing for seconds.
 */
const measureMs = 250;
const measureBytes = 8 * 1024 * 1024;
const budgetBytesDefault = 16 * 1024 * 1024;
/** Kept for the next reader when nobody reads. */
const restBytesMax = 4 * 1024 * 1024;
export class BufferPool {
  readonly firstBytes: number;
  readonly turns: Turns = new Turns();
  readonly #budgetBytes: number;
  readonly #largestBytes: number;
  readonly #slabs: Slabs;
  #readers = 0;

  constructor(options: BufferPoolOptions = {}) {
    this.#budgetBytes = options.budgetBytes ?? budgetBytesDefault;
    this.firstBytes = options.firstBytes ?? firstBytesDefault;
    this.#largestBytes = options.largestBytes ?? bufferBytesMax;
    this.#slabs = new Slabs(this.#largestBytes, bufferBytesMin, options.shared ?? false);
  }

  /** Bytes in the hands of readers. */
  get lentBytes(): number {
    return this.#slabs.lentBytes;
  }

  /** All memory that the pool holds. */
  get heldBytes(): number {
    return this.#slabs.heldBytes;
  }

  get readers(): number {
    return this.#readers;
  }

  /** @param nowMs milliseconds since some start, as in `turn` and `give` */
  join(nowMs: number): BufferShare {
    this.#readers += 1;
    this.turns.arrive(nowMs);
    return new Share(this, nowMs);
  }

  leave(): void {
    this.#readers -= 1;
    if (this.#readers === 0) this.#slabs.shrink(restBytesMax);
  }

  /** A buffer of at most `wantedBytes`; never smaller than the minimum. */
  take(wantedBytes: number): Buffer {
    const share = this.#budgetBytes / Math.max(this.#readers, 1);
    const left = (this.#budgetBytes - this.#slabs.lentBytes) / 2;
    const size = Math.max(bufferBytesMin, Math.min(wantedBytes, share, left, this.#largestBytes));
    return this.#slabs.take(2 ** (31 - Math.clz32(size)), this.#budgetBytes);
  }

  give(buffer: Buffer): void {
    this.#slabs.give(buffer);
    this.#slabs.shrink(this.#readers === 0 ? restBytesMax : this.#budgetBytes);
  }
}

/** One reader's part of the pool. Disposing it leaves the pool; buffers it still holds are to be given back all the same. */
export interface BufferShare extends Disposable {
  take(): Buffer;
  /** As `next` of `Turns`. */
  turn(nowMs: number): Promise<void> | undefined;
  /** @param sentBytes how much of it was sent */
  give(buffer: Buffer, sentBytes: number, nowMs: number): void;
  /** What was sent without a buffer of the pool. */
  count(sentBytes: number, nowMs: number): void;
}

class Share implements BufferShare {
  readonly #pool: BufferPool;
  #wantedBytes: number;
  #measuredFromMs: number;
  #measuredBytes = 0;

  constructor(pool: BufferPool, nowMs: number) {
    this.#pool = pool;
    this.#wantedBytes = pool.firstBytes;
    this.#measuredFromMs = nowMs;
  }

  turn(nowMs: number): Promise<void> | undefined {
    return this.#pool.turns.next(nowMs);
  }

  take(): Buffer {
    return this.#pool.take(this.#wantedBytes);
  }

  give(buffer: Buffer, sentBytes: number, nowMs: number): void {
    this.#pool.give(buffer);
    this.count(sentBytes, nowMs);
  }

  count(sentBytes: number, nowMs: number): void {
    this.#measuredBytes += sentBytes;
    const ms = nowMs - this.#measuredFromMs;
    if (ms < measureMs && this.#measuredBytes < measureBytes) return;
    const outInTime = (this.#measuredBytes / Math.max(ms, 1)) * bufferMs;
    this.#wantedBytes = Math.min(outInTime, 2 * Math.max(this.#wantedBytes, bufferBytesMin));
    this.#measuredFromMs = nowMs;
    this.#measuredBytes = 0;
  }

  [Symbol.dispose](): void {
    this.#pool.leave();
  }
}
