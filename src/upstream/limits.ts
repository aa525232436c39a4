import type { Clock } from '../observe/clock.ts';

/** So many at once; who comes later waits in order. */
export class Semaphore {
  readonly #max: number;
  #held = 0;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /**
   * A place, given up when it is disposed.
   * @throws the signal's reason when that comes first
   */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#held >= this.#max) await this.#turn(signal);
    else this.#held++;
    let given = true;
    return {
      [Symbol.dispose]: () => {
        if (given) this.#release();
        given = false;
      },
    };
  }

  /** The place passes from hand to hand: `held` does not change. */
  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const called = (): void => {
        signal?.removeEventListener('abort', left);
        resolve();
      };
      const left = (): void => {
        this.#waiting.delete(called);
        reject(signal?.reason);
      };
      this.#waiting.add(called);
      signal?.addEventListener('abort', left, { once: true });
    });
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#held--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** How much may arrive ahead of the rate, in milliseconds of it: enough for the timer's coarseness. */
const burstMs = 50;

/**
 * Bytes a second, shared by all transfers: each books its time on one line, so that none is starved.
 */
export class Bandwidth {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  #bookedUntil = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Milliseconds to wait before more is read; 0 most of the time. */
  book(bytes: number): number {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    const now = this.#clock.monotonic();
    this.#bookedUntil = Math.max(this.#bookedUntil, now) + bytes / this.#bytesPerMs;
    return Math.max(0, this.#bookedUntil - now - burstMs);
  }
}
