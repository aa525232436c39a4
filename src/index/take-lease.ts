import type { Clock } from '../observe/clock.ts';
import type { Index, Lease } from './contract.ts';

export interface LeaseTaker {
  readonly index: Index;
  readonly clock: Clock;
  /** This process. */
  readonly holder: string;
  /** A process that certainly writes nothing any more. */
  readonly isGone: (holder: string) => boolean;
}

/** As `LeaseIndex.acquire`; but who was killed holding it holds it no more, and nobody waits for it to expire. */
export async function takeLease(taker: LeaseTaker, key: string, ttlMs: number): Promise<Lease | undefined> {
  const { index, clock, holder, isGone } = taker;
  const lease = await index.leases.acquire(key, holder, ttlMs, clock.now());
  if (lease !== undefined) return lease;
  const held = await index.leases.peek(key);
  if (held === undefined || held.holder === holder || !isGone(held.holder)) return undefined;
  await index.leases.release(held, '');
  return index.leases.acquire(key, holder, ttlMs, clock.now());
}
