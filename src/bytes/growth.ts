import { Extents } from './extents.ts';
import type { Extent } from './extents.ts';

/** How much of a blob's end is held back from verified readers until its digest is known to be right, in bytes. */
export const withheldBytes = 32 * 1024;

/** What of a clock is needed. */
export interface Timers {
  setTimer(ms: number, run: () => void): { cancel(): void };
}

/**
 * More readers than these, all waiting, are called together once in a while instead of for every piece that comes: each of
 * them reads and writes when it is called, and fifty that do so for every 64 KiB keep a processor busy with little else.
 */
const waitersAtOnceMax = 4;
/** How long they may have to wait longer for it, in milliseconds. Their sockets hold more than comes in that time. */
const gatherMs = 20;

/**
 * Content that is still growing, and who waits for which part of it. Knows nothing of files or networks: whoever
 * brings bytes calls `add` once they can be read, whoever reads asks `readableEnd` and waits.
 */
export class Growth {
  readonly #extents: Extents;
  /** By position. */
  readonly #waiters = new Map<number, Waiter[]>();
  readonly #onDemand: () => void;
  readonly #timers: Timers;
  #waiting = 0;
  #gathering = false;
  #crowded = false;
  #verified = false;
  #retired = false;
  #failure: Error | undefined;
  #size: number;

  /** @param size in bytes; `Infinity` while the sender has not said it */
  constructor(size: number, extents: Iterable<Extent>, onDemand: () => void, timers: Timers) {
    this.#size = size;
    this.#timers = timers;
    this.#extents = Extents.from(extents);
    this.#onDemand = onDemand;
  }

  get size(): number {
    return this.#size;
  }

  /** The sender ended without having said the size beforehand. */
  endAt(size: number): void {
    this.#size = size;
  }

  /** Many have waited for the same at the same time. */
  get isCrowded(): boolean {
    return this.#crowded;
  }

  get extents(): Extents {
    return this.#extents;
  }

  get complete(): boolean {
    return this.#extents.covers(0, this.#size);
  }

  add(start: number, end: number): void {
    this.#extents.add(start, end);
    if (this.#waiting <= waitersAtOnceMax) return this.#wakeReady();
    if (this.#gathering) return;
    [this.#gathering, this.#crowded] = [true, true];
    this.#timers.setTimer(gatherMs, () => {
      this.#gathering = false;
      this.#wakeReady();
    });
  }

  /** The digest is right: nothing is held back any more. */
  verify(): void {
    this.#verified = true;
    this.#wake(() => true);
  }

  /** Every read that needs more than is there fails from now on. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    this.#wake(() => true);
  }

  /** It grows no more, somebody else has the rest: waiters look again at where to read. */
  retire(): void {
    this.#retired = true;
    this.#wake(() => true);
  }

  /** Up to where a reader at `position` may read without waiting; `position` itself when it must wait. */
  readableEnd(position: number, verified: boolean): number {
    const end = this.#extents.endOfRunAt(position);
    if (!verified || this.#verified) return end;
    return Math.max(position, Math.min(end, this.#size - withheldBytes));
  }

  /**
   * Resolves when it is worth looking again.
   * @throws the failure, once there is one
   */
  wait(position: number, verified: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#retired) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiters = this.#waiters.get(position) ?? [];
    waiters.push({ position, verified, resolve, reject });
    this.#waiting += 1;
    this.#waiters.set(position, waiters);
    // Who waits where somebody waits already wants nothing new: a stampede is told of once.
    if (waiters.length === 1) this.#onDemand();
    return promise;
  }

  /** Positions that readers wait for and whose bytes are not there, in ascending order. */
  wanted(): readonly number[] {
    return [...this.#waiters.keys()]
      .filter((position) => this.#extents.endOfRunAt(position) === position && position < this.#size)
      .sort((a, b) => a - b);
  }

  #wakeReady(): void {
    this.#wake((waiter) => this.readableEnd(waiter.position, waiter.verified) > waiter.position);
  }

  #wake(ready: (waiter: Waiter) => boolean): void {
    for (const [position, waiters] of this.#waiters) {
      const called = waiters.filter(ready);
      if (called.length === 0) continue;
      if (called.length === waiters.length) this.#waiters.delete(position);
      else
        this.#waiters.set(
          position,
          waiters.filter((waiter) => !ready(waiter)),
        );
      this.#waiting -= called.length;
      for (const waiter of called) {
        if (this.#failure === undefined) waiter.resolve();
        else waiter.reject(this.#failure);
      }
    }
  }
}

interface Waiter {
  readonly position: number;
  readonly verified: boolean;
  resolve(): void;
  reject(reason: Error): void;
}
