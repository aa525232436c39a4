import type { Clock } from './clock.ts';

/**
 * What comes of the work, if it comes within `ms` milliseconds. Work that is late goes on; how it ends is nobody's matter then.
 *
 * @throws what `late` makes when the work is; what the work throws
 */
export async function inTime<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const isLate = Promise.withResolvers<never>();
  const timer = clock.setTimer(ms, () => isLate.reject(late()));
  work.catch(() => {});
  try {
    return await Promise.race([work, isLate.promise]);
  } finally {
    timer.cancel();
  }
}
