import type { Lease } from '../index/contract.ts';
import { downloadKeyOf, settlingKeyOf } from '../index/settling.ts';
import { takeLease } from '../index/take-lease.ts';
import type { LeaseTaker } from '../index/take-lease.ts';
import type { Observer } from '../observe/events.ts';
import { tellingStoreFailures } from '../observe/store-failures.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';

export interface DisposalContext extends LeaseTaker {
  readonly store: Pick<BlobStore, 'find' | 'delete'>;
  readonly observer: Observer;
}

/** As long as a push has to settle: whoever was suspended for so long must not delete what was pushed since. In milliseconds. */
const leaseMs = 60_000;

/**
 * Deletes the files of blobs that have left the index, whether they were evicted or collected. Under the leases of a
 * download and of a push of the same digest: who brings it in anew meanwhile either has it in the index again before
 * we look there, or comes after us and stores it anew.
 */
export class Disposal {
  readonly #context: DisposalContext;

  constructor(context: DisposalContext) {
    this.#context = context;
  }

  /** Resolves to the bytes that were freed. One that somebody is bringing in just now stays for another time. */
  dispose(digest: Digest): Promise<number> {
    return tellingStoreFailures(this.#context.observer, 'delete', () => this.#dispose(digest));
  }

  async #dispose(digest: Digest): Promise<number> {
    const { index } = this.#context;
    const leases: Lease[] = [];
    try {
      for (const key of [downloadKeyOf(digest), settlingKeyOf(digest)]) {
        const lease = await takeLease(this.#context, key, leaseMs);
        if (lease === undefined) return 0;
        leases.push(lease);
      }
      const bytes = await this.#deleteIfForgotten(digest);
      await index.collection.discarded(digest);
      return bytes;
    } finally {
      for (const lease of leases) await index.leases.forget(lease);
    }
  }

  async #deleteIfForgotten(digest: Digest): Promise<number> {
    const { index, store } = this.#context;
    if (!(await index.collection.mayDiscard(digest))) return 0;
    const held = await store.find(digest);
    if (held === undefined) return 0;
    return (await store.delete(digest)) ? held.size : 0;
  }
}
