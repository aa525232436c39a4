import type { Lease, OutboxEntry } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { takeLease } from '../index/take-lease.ts';
import type { LeaseTaker } from '../index/take-lease.ts';
import type { Timer } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError, systemCodeOf } from '../oci/errors.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { hasLinkTree } from '../store/link-tree.ts';

export interface LinkWriterOptions extends LeaseTaker {
  readonly store: BlobStore;
  readonly observer: Observer;
}

/** In milliseconds. What changed is written within the second. */
const afterMs = 400;
const afterFailureMs = 10_000;
/** Entries that become durable together. */
const batch = 256;
/** How long an end waits for links: what is pending is durable, and goes on at the next start. In milliseconds. */
const lastMsMax = 5_000;
/** A process that takes longer for a batch finds another one at work. In milliseconds. */
const leaseMs = 60_000;
const leaseKey = 'outbox';

/**
 * Writes what has changed in hosted repositories as links of `registry:2`, so that it can serve the volume again, and so
 * that a lost index can be made anew. At least once: what was written before a crash is written again after it. One
 * process at a time, so that no older state is written over a newer one.
 */
export class LinkWriter implements AsyncDisposable {
  readonly #options: LinkWriterOptions;
  #timer: Timer | undefined;
  #running: Promise<boolean> | undefined;
  #closed = false;
  /** No batch is begun after that. */
  #untilMs = Number.POSITIVE_INFINITY;

  constructor(options: LinkWriterOptions) {
    this.#options = options;
    options.index.outbox.onEntered(() => this.#wait(afterMs));
    this.#wait(afterMs);
  }

  /**
   * Resolves when everything that was pending at its start is written; false when another process is at it, or this one ends.
   * @throws RegistryError `UNAVAILABLE` when the store or the index fails
   */
  async drain(): Promise<boolean> {
    await this.#running?.catch(() => {});
    return this.#run();
  }

  /** Writes what is left, for a while. What is not written then is written by the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#untilMs = this.#options.clock.monotonic() + lastMsMax;
    this.#timer?.cancel();
    await this.drain().catch((error: unknown) => this.#failed(error));
  }

  #wait(ms: number): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#timer = undefined;
      void this.#tick();
    });
  }

  async #tick(): Promise<void> {
    try {
      if (!(await this.#run())) this.#wait(afterMs);
    } catch (error) {
      this.#failed(error);
      this.#wait(afterFailureMs);
    }
  }

  #run(): Promise<boolean> {
    this.#running ??= this.#writeAll().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #writeAll(): Promise<boolean> {
    const { index, clock } = this.#options;
    if ((await index.outbox.pending(1)).length === 0) return true;
    const lease = await takeLease(this.#options, leaseKey, leaseMs);
    if (lease === undefined) return false;
    try {
      for (;;) {
        const entries = await index.outbox.pending(batch);
        if (entries.length === 0) return true;
        if (clock.monotonic() > this.#untilMs || !(await this.#write(entries))) return false;
        if (!(await index.leases.renew(lease, '', leaseMs, clock.now()))) return false;
      }
    } finally {
      await index.leases.release(lease, '');
    }
  }

  /** False when nothing could be written for now. */
  async #write(entries: readonly OutboxEntry[]): Promise<boolean> {
    const { store, index } = this.#options;
    if (!hasLinkTree(store)) {
      await index.outbox.settle(entries);
      return true;
    }
    const resting = new Resting(this.#options);
    try {
      const due = await resting.take(entries);
      await store.writeLinks(due.map(({ link }) => link));
      await resting.store();
      await index.outbox.settle(due);
      return due.length > 0;
    } finally {
      await resting.release();
    }
  }

  #failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const { observer } = this.#options;
    if (error instanceof RegistryError && error.origin === 'store') {
      observer.emit({ type: 'store.failed', operation: 'links', code: systemCodeOf(error), message });
    } else {
      observer.emit({ type: 'task.failed', task: 'writing links of registry:2', message });
    }
  }
}

/** Manifests that come to rest in the store as their links are written, each under the lease of whoever settles it. */
class Resting {
  readonly #options: LinkWriterOptions;
  readonly #leases: { readonly lease: Lease; readonly link: OutboxEntry['link'] & { readonly kind: 'manifest' } }[] =
    [];

  constructor(options: LinkWriterOptions) {
    this.#options = options;
  }

  /** The entries that may be written now: not those whose content somebody else is just putting in its place or away. */
  async take(entries: readonly OutboxEntry[]): Promise<readonly OutboxEntry[]> {
    const { index } = this.#options;
    const due: OutboxEntry[] = [];
    const taken = new Set<string>();
    for (const entry of entries) {
      const { link } = entry;
      const rests = link.kind !== 'manifest' || link.bytes === undefined || taken.has(link.digest);
      if (!rests && (await index.blobs.stored(link.digest)) === undefined) {
        const lease = await takeLease(this.#options, settlingKeyOf(link.digest), leaseMs);
        if (lease === undefined) continue;
        this.#leases.push({ lease, link });
        taken.add(link.digest);
      }
      due.push(entry);
    }
    return due;
  }

  /** Whoever took the manifest away meanwhile knew of no file; then what was written for it is to be discarded. */
  async store(): Promise<void> {
    const { index } = this.#options;
    for (const { lease, link } of this.#leases) {
      if (link.bytes === undefined) continue;
      await index.blobs.store(link.digest, link.bytes.length, lease, 0);
      await index.collection.mayDiscard(link.digest);
    }
  }

  async release(): Promise<void> {
    for (const { lease } of this.#leases.splice(0)) await this.#options.index.leases.release(lease, '');
  }
}
