import { setTimeout as delay } from 'node:timers/promises';

/** Time as an input: everything that waits, ages or expires takes one, so that tests move it. */
export interface Clock {
  /** Milliseconds since the epoch. For what is stored and shown. */
  now(): number;
  /** Milliseconds since some start; never goes back. For durations. */
  monotonic(): number;
  /** @throws the signal's reason when aborted */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Runs once after `ms`; does not keep the process alive. */
  setTimer(ms: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** The longest delay Node's timers take, in milliseconds; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await delay(Math.min(ms, timerMsMax), undefined, signal === undefined ? {} : { signal });
  },
  setTimer: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, timerMsMax));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
