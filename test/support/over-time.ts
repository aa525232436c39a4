/**
 * Work that takes time of a clock that only tests move, and beside it time of sockets and files, which know no such clock.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { FakeClock } from './fake-clock.ts';

/** One clock, or several that go together. */
type Moved = Pick<FakeClock, 'advance'>;

const stepsMax = 6_000;

/** Moves the clock on, step by step, until the work is done. */
export async function overTime<T>(clock: Moved, work: Promise<T>, stepMs = 50): Promise<T> {
  const state = { over: false };
  const over = work.finally(() => (state.over = true));
  over.catch(() => {});
  await until(clock, () => state.over, stepMs);
  return over;
}

/** Moves the clock on, step by step, until it is so. */
export async function until(clock: Moved, met: () => boolean | Promise<boolean>, stepMs = 50): Promise<void> {
  for (let steps = 0; !(await met()); steps += 1) {
    if (steps > stepsMax) throw new Error(`not done after ${steps * stepMs} ms of the fake clock`);
    await diskAtRest();
    await clock.advance(stepMs);
    await delay(1);
  }
}

/** No deadline of that clock is to pass because a busy machine's disk is slow. */
async function diskAtRest(): Promise<void> {
  while (process.getActiveResourcesInfo().some((each) => /^(?:FSReq|CloseReq|GetAddrInfo)/.test(each))) await delay(1);
}
