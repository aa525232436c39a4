import type { Lease, LeaseIndex } from '../index/contract.ts';
import { isIndexFailure } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';

/** A holder that has not renewed for this long has lost its lease, in milliseconds. */
export const leaseMs = 10_000;

/** Another holder has the lease: what we fetch is not wanted any more. */
export class EpochLost extends Error {
  override readonly name = 'EpochLost';

  constructor() {
    super('another process has taken this download over');
  }
}

/**
 * Renews a lease and says with it what has arrived, until stopped.
 *
 * @param everyMs how often to look whether there is news, in milliseconds
 * @param onLost called once, when the lease turns out not to be ours any more
 * @returns stops, and waits for a renewal that is under way
 */
export function publish(
  leases: LeaseIndex,
  lease: Lease,
  clock: Clock,
  everyMs: () => number,
  state: () => string,
  onLost: (reason: Error) => void,
): () => Promise<void> {
  const stopped = new AbortController();
  // An index that cannot be written to takes the lease from nobody: it is tried again.
  const renewed = (now: string): Promise<boolean> =>
    leases.renew(lease, now, leaseMs, clock.now()).catch((error: unknown) => {
      if (isIndexFailure(error)) return true;
      throw error;
    });
  const loop = async (): Promise<void> => {
    let said = '';
    let renewedMs = clock.monotonic();
    for (;;) {
      await clock.sleep(everyMs(), stopped.signal).catch(() => {});
      if (stopped.signal.aborted) return;
      const now = state();
      if (now === said && clock.monotonic() - renewedMs < leaseMs / 3) continue;
      said = now;
      renewedMs = clock.monotonic();
      if (!(await renewed(now))) throw new EpochLost();
    }
  };
  const running = loop().catch((error: unknown) => onLost(error instanceof Error ? error : new EpochLost()));
  return async () => {
    stopped.abort();
    await running;
  };
}
