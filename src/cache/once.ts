import type { Lease, LeaseIndex } from '../index/contract.ts';
import { isIndexFailure } from '../index/remember.ts';
import type { Clock } from '../observe/clock.ts';
import type { Holder } from './holder.ts';
import { fateOf } from './holder.ts';

/** How often to look whether another process is done, in milliseconds. */
const pollMs = 20;
/** Longer than any small request to an upstream may take, in milliseconds. */
const leaseMs = 30_000;

export interface Once<T> {
  readonly value: T;
  /** Somebody else had begun it already. */
  readonly shared: boolean;
}

/** Work that is done once in the whole cluster, however many ask for it at the same time. */
export class OnceInCluster {
  readonly #leases: LeaseIndex;
  readonly #clock: Clock;
  readonly #holder: Holder;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(leases: LeaseIndex, clock: Clock, holder: Holder) {
    this.#leases = leases;
    this.#clock = clock;
    this.#holder = holder;
  }

  /**
   * @param key names the work, and so the type of what comes out of it
   * @param look whether another process has done it meanwhile; only called after waiting for one
   */
  run<T>(key: string, look: () => Promise<T | undefined>, work: () => Promise<T>): Promise<Once<T>> {
    return this.share(key, () => this.#lead(key, look, work));
  }

  /** The same in this process alone: for what leaves nothing that another process could find. */
  async share<T>(key: string, work: () => Promise<T>): Promise<Once<T>> {
    const running = this.#running.get(key);
    if (running !== undefined) return { value: (await running) as T, shared: true };
    const mine = work().finally(() => this.#running.delete(key));
    this.#running.set(key, mine);
    return { value: await mine, shared: false };
  }

  async #lead<T>(key: string, look: () => Promise<T | undefined>, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const lease = await this.#acquire(key);
      if (lease === 'not to be had') return work();
      if (lease !== undefined) {
        try {
          return await work();
        } finally {
          // Nothing is left to be told, and names that anybody may ask for would pile up.
          await this.#leases.forget(lease).catch(unlessIndexFailed);
        }
      }
      await this.#untilEnded(key);
      const found = await look();
      if (found !== undefined) return found;
    }
  }

  /** Without a lease it may be done twice in the cluster, which is better than not at all. */
  async #acquire(key: string): Promise<Lease | undefined | 'not to be had'> {
    const acquired = this.#leases.acquire(key, this.#holder, leaseMs, this.#clock.now());
    return acquired.catch((error: unknown) => {
      unlessIndexFailed(error);
      return 'not to be had' as const;
    });
  }

  async #untilEnded(key: string): Promise<void> {
    for (;;) {
      const view = await this.#leases.peek(key);
      if (view === undefined || view.expiresAtMs <= this.#clock.now()) return;
      if (fateOf(view.holder) !== 'unknown') return this.#leases.forget(view);
      await this.#clock.sleep(pollMs);
    }
  }
}

/** A lease that could not be forgotten runs out by itself. */
function unlessIndexFailed(error: unknown): void {
  if (!isIndexFailure(error)) throw error;
}
