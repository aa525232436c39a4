/**
 * Lends read buffers to everybody who sends blobs, out of one memory budget.
 *
 * A reader alone gets large buffers (few system calls a gibibyte); many readers, and readers whose clients are slow, get
 * small ones: memory follows the speed of the network, not the number of clients times the largest buffer.
 */
export interface BufferPoolOptions {
  /** Shared by all readers. The smallest buffers are lent beyond it: a limit on connections bounds those. */
  readonly budgetBytes?: number;
}

export const bufferBytesMin: number = 32 * 1024;
export const bufferBytesMax: number = 1024 * 1024;
/** What a reader begins with, before its speed is known. */
const bufferBytesFirst = 256 * 1024;
const budgetBytesDefault = 64 * 1024 * 1024;
/** Two buffers a reader: one being filled while the other is being sent. */
const buffersPerReader = 2;
/** Buffers kept for the next reader when nobody reads. */
const restBytesMax = 4 * 1024 * 1024;
/** A buffer that came back sooner was too small, one that came back later too large. */
const fastMs = 50;
const slowMs = 200;

export class BufferPool {
  readonly #budgetBytes: number;
  readonly #resting = new Map<number, Buffer[]>();
  #restingBytes = 0;
  #lentBytes = 0;
  #readers = 0;

  constructor(options: BufferPoolOptions = {}) {
    this.#budgetBytes = options.budgetBytes ?? budgetBytesDefault;
  }

  /** Bytes in the hands of readers. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** Bytes kept for the next reader. */
  get restingBytes(): number {
    return this.#restingBytes;
  }

  get readers(): number {
    return this.#readers;
  }

  join(): BufferShare {
    this.#readers += 1;
    return new Share(this);
  }

  leave(): void {
    this.#readers -= 1;
    if (this.#readers === 0) this.#trim(restBytesMax);
  }

  /** A buffer of at most `wantedBytes`, a power of two; never smaller than the minimum. */
  take(wantedBytes: number): Buffer {
    const share = this.#budgetBytes / (buffersPerReader * Math.max(this.#readers, 1));
    const left = (this.#budgetBytes - this.#lentBytes) / buffersPerReader;
    const size = powerOfTwoBelow(Math.max(bufferBytesMin, Math.min(wantedBytes, share, left, bufferBytesMax)));
    this.#lentBytes += size;
    const rested = this.#resting.get(size)?.pop();
    if (rested === undefined) {
      this.#trim(Math.max(0, this.#budgetBytes - this.#lentBytes));
      return Buffer.allocUnsafeSlow(size);
    }
    this.#restingBytes -= size;
    return rested;
  }

  give(buffer: Buffer): void {
    this.#lentBytes -= buffer.length;
    const limit = this.#readers === 0 ? restBytesMax : this.#budgetBytes / 4;
    if (this.#restingBytes + buffer.length > limit) return;
    const list = this.#resting.get(buffer.length);
    if (list === undefined) this.#resting.set(buffer.length, [buffer]);
    else list.push(buffer);
    this.#restingBytes += buffer.length;
  }

  #trim(limitBytes: number): void {
    for (const [size, list] of this.#resting) {
      while (this.#restingBytes > limitBytes && list.pop() !== undefined) this.#restingBytes -= size;
    }
  }
}

/** One reader's part of the pool. Disposing it leaves the pool; buffers it still holds are to be given back all the same. */
export interface BufferShare extends Disposable {
  take(): Buffer;
  /** @param heldMs how long it was held, from being taken until the last byte had left */
  give(buffer: Buffer, heldMs: number): void;
}

class Share implements BufferShare {
  readonly #pool: BufferPool;
  #wantedBytes = bufferBytesFirst;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  take(): Buffer {
    return this.#pool.take(this.#wantedBytes);
  }

  give(buffer: Buffer, heldMs: number): void {
    if (heldMs < fastMs) this.#wantedBytes = Math.min(this.#wantedBytes * 2, bufferBytesMax);
    else if (heldMs > slowMs) this.#wantedBytes = Math.max(this.#wantedBytes / 2, bufferBytesMin);
    this.#pool.give(buffer);
  }

  [Symbol.dispose](): void {
    this.#pool.leave();
  }
}

function powerOfTwoBelow(bytes: number): number {
  return 2 ** (31 - Math.clz32(bytes));
}
