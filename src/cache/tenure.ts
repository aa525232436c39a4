import type { Index, Lease, LeaseView } from '../index/contract.ts';
import { remember } from '../index/remember.ts';
import { downloadKeyOf } from '../index/settling.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import type { Holder } from './holder.ts';
import { leaseMs, publish } from './publishing.ts';

export interface TenureContext {
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly holder: Holder;
}

/** The right to bring one blob in: its lease, from the acquisition to the release, and what was left to go on with. */
export class Tenure implements AsyncDisposable {
  readonly lease: Lease;
  /** What the holder before left. */
  readonly left: LeaseView | undefined;
  readonly #context: TenureContext;
  #stopPublishing: (() => Promise<void>) | undefined;
  #released = false;

  private constructor(lease: Lease, left: LeaseView | undefined, context: TenureContext) {
    this.lease = lease;
    this.left = left;
    this.#context = context;
  }

  /** `undefined` while somebody else has it. */
  static async acquire(digest: Digest, context: TenureContext): Promise<Tenure | undefined> {
    const { index, clock, holder } = context;
    const key = downloadKeyOf(digest);
    const before = await index.leases.peek(key);
    const nowMs = clock.now();
    const lease = await index.leases.acquire(key, holder, leaseMs, nowMs);
    if (lease === undefined) return undefined;
    // It may have been released since we looked: what was told with that stays readable until we tell something.
    const state = (await index.leases.peek(key))?.state ?? '';
    const expiresAtMs = (before?.expiresAtMs ?? 0) > nowMs ? 0 : (before?.expiresAtMs ?? 0);
    return new Tenure(lease, before && { ...before, state, expiresAtMs }, context);
  }

  /** Keeps the lease, and tells with it what has arrived, until the release; see `publish`. */
  publish(everyMs: () => number, state: () => string, onLost: (reason: Error) => void): void {
    const { index, clock } = this.#context;
    this.#stopPublishing = publish(index.leases, this.lease, clock, everyMs, state, onLost);
  }

  /** Ends it, once. A lease that the index does not let go of runs out by itself. */
  async release(state: string): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await this.#stopPublishing?.();
    await remember(this.#context.observer, () => this.#context.index.leases.release(this.lease, state));
  }

  /** With nothing to go on with. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release('');
  }
}
