import type { Clock } from '../observe/clock.ts';

/** How long nobody asks again after a 429 that does not say, in seconds. */
export const pauseSecondsDefault = 10;

/** Who was told 429 stops asking until the time that was told. */
export class Pauses {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole seconds for which such requests are still to be put off; `undefined` when they may go ahead. */
  remaining(key: string): number | undefined {
    const until = this.#until.get(key);
    if (until === undefined) return undefined;
    const ms = until - this.#clock.monotonic();
    if (ms > 0) return Math.ceil(ms / 1000);
    this.#until.delete(key);
    return undefined;
  }

  pause(key: string, seconds: number = pauseSecondsDefault): void {
    this.#until.set(key, this.#clock.monotonic() + seconds * 1000);
  }
}
