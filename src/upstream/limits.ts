import type { Clock } from '../observe/clock.ts';

/** One of so many, given up for good when it is disposed. */
export interface Place extends Disposable {
  /** Lets somebody else have it for now. */
  giveUp(): void;
  /**
   * Resolves once it is held again, in the order of those who are `warm`; at once if it was not given up.
   * @throws the reason of the signal that it was acquired with when that comes first
   */
  takeAgain(): Promise<void>;
}

/** Who waits for the first byte goes before who waits for more. */
export type Lane = 'cold' | 'warm';

/** So many who are cold may go, one after the other, before who waits and is warm. */
const overtakingMax = 4;

/** So many at once; who comes later waits, in order: first those who are cold, then those who are warm. */
export class Semaphore {
  readonly #max: number;
  readonly #keptForCold: number;
  readonly #holders: Record<Lane, number> = { cold: 0, warm: 0 };
  readonly #waiting: Record<Lane, Set<() => void>> = { cold: new Set(), warm: new Set() };
  #overtaking = 0;

  /** @param keptForCold how many places stay free for who is cold, unless nobody else is warm */
  constructor(max: number, keptForCold = 0) {
    this.#max = max;
    this.#keptForCold = keptForCold;
  }

  get held(): number {
    return this.#holders.cold + this.#holders.warm;
  }

  /** @throws the signal's reason when that comes first */
  async acquire(signal?: AbortSignal, lane: Lane = 'warm'): Promise<Place> {
    await this.#enter(lane, signal);
    let held: Lane | undefined = lane;
    let over = false;
    const giveUp = (): void => {
      if (held !== undefined) this.#leave(held);
      held = undefined;
    };
    return {
      giveUp,
      takeAgain: async () => {
        if (held !== undefined) return;
        await this.#enter('warm', signal);
        held = 'warm';
        if (over) giveUp();
      },
      [Symbol.dispose]: () => {
        over = true;
        giveUp();
      },
    };
  }

  async #enter(lane: Lane, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#isFreeFor(lane)) this.#holders[lane]++;
    else await this.#turn(lane, signal);
  }

  #isFreeFor(lane: Lane): boolean {
    const free = this.#max - this.held;
    return free > 0 && (lane === 'cold' || free > this.#keptForCold || this.#holders.warm === 0);
  }

  /** Resolves when a place has been handed on. */
  #turn(lane: Lane, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const called = (): void => {
        signal?.removeEventListener('abort', left);
        resolve();
      };
      const left = (): void => {
        this.#waiting[lane].delete(called);
        reject(signal?.reason);
      };
      this.#waiting[lane].add(called);
      signal?.addEventListener('abort', left, { once: true });
    });
  }

  #leave(lane: Lane): void {
    this.#holders[lane]--;
    const next = this.#next();
    if (next === undefined) return;
    this.#overtaking = next === 'cold' && this.#waiting.warm.size > 0 ? this.#overtaking + 1 : 0;
    const [called] = this.#waiting[next];
    if (called === undefined) return;
    this.#waiting[next].delete(called);
    this.#holders[next]++;
    called();
  }

  /** Whose turn it is, now that a place has come free. */
  #next(): Lane | undefined {
    const { cold, warm } = this.#waiting;
    if (cold.size === 0) return warm.size > 0 && this.#isFreeFor('warm') ? 'warm' : undefined;
    const isOverdue = this.#overtaking >= overtakingMax && this.#holders.warm < this.#max - this.#keptForCold;
    return warm.size > 0 && isOverdue ? 'warm' : 'cold';
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
