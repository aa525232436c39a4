/**
 * Time that moves only when a test says so.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/observe/clock.ts';
import { Waiters } from './waiters.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  readonly #start: number;
  #elapsed = 0;
  #timers: Timer[] = [];
  readonly #waiters = new Waiters();

  /** @param start milliseconds since the epoch; default noon of 1 January 2030, UTC */
  constructor(start = 1_893_499_200_000) {
    this.#start = start;
  }

  /** Milliseconds since the epoch: whole ones, as the system's clock tells them, though timers may run between them. */
  now(): number {
    return this.#start + Math.floor(this.#elapsed);
  }

  /** Milliseconds since this clock was made. */
  monotonic(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const interrupt = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.setTimer(ms, () => {
        signal?.removeEventListener('abort', interrupt);
        resolve();
      });
      signal?.addEventListener('abort', interrupt, { once: true });
    });
  }

  setTimer(ms: number, run: () => void): { cancel(): void } {
    const timer = { at: this.#elapsed + Math.max(0, ms), run };
    this.#timers.push(timer);
    this.#waiters.look();
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /**
   * Moves time on. Timers run in the order in which they fall due, those that are set meanwhile included, and after each
   * one the event loop takes a turn, so that what waited for it has gone on. Work that waits for a disk or a socket may
   * need longer: await its result.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    await nextTurn();
    for (let due = this.#nextDue(until); due; due = this.#nextDue(until)) {
      this.#elapsed = Math.max(this.#elapsed, due.at);
      this.#timers = this.#timers.filter((timer) => timer !== due);
      due.run();
      await nextTurn();
    }
    this.#elapsed = until;
  }

  /** Resolves once this many timers and sleeps are pending: the code under test has come to the point where it waits. */
  pending(count: number): Promise<void> {
    return this.#waiters.until(() => this.#timers.length >= count);
  }

  /** Resolves once something waits for a time between these from now, in milliseconds: what comes again has set its timer. */
  due(fromMs: number, toMs: number): Promise<void> {
    const isDue = ({ at }: Timer): boolean => at >= this.#elapsed + fromMs && at <= this.#elapsed + toMs;
    return this.#waiters.until(() => this.#timers.some(isDue));
  }

  #nextDue(until: number): Timer | undefined {
    const due = this.#timers.filter((timer) => timer.at <= until);
    return due.reduce<Timer | undefined>((first, timer) => (first && first.at <= timer.at ? first : timer), undefined);
  }
}
