import type { Lease, OutboxEntry } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { takeLease } from '../index/take-lease.ts';
import type { LeaseTaker } from '../index/take-lease.ts';
import type { Timer } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf, RegistryError, systemCodeOf } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { hasLinkTree } from '../store/link-tree.ts';

export interface LinkWriterOptions extends LeaseTaker {
  readonly store: BlobStore;
  readonly observer: Observer;
}

/**
 * In milliseconds. Links are written once nothing has changed for so long: who pushes many images at once waits for the disk
 * and the processor often enough without them. However long that goes on, ...
 */
const pauseMs = 400;
/** ... no change waits longer than that. */
const pauseMsMax = 5_000;
const againMs = 400;
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
  /** When something changed: for the first time since links were written, and for the last. */
  #firstMs = Number.NEGATIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #running: Promise<boolean> | undefined;
  /** Repositories that somebody waits for: what is pending of theirs is written before anything else. */
  readonly #asked = new Map<RepositoryName, Asked>();
  #closed = false;
  /** No batch is begun after that. */
  #untilMs = Number.POSITIVE_INFINITY;

  constructor(options: LinkWriterOptions) {
    this.#options = options;
    options.index.outbox.onEntered(() => this.#changed());
    this.#wait(pauseMs);
  }

  /**
   * Resolves when everything that was pending at its start is written, or everything of one repository, which goes first
   * then; false when another process is at it, or this one ends.
   * @throws RegistryError `UNAVAILABLE` when the store or the index fails
   */
  async drain(only?: RepositoryKey): Promise<boolean> {
    if (only !== undefined) return Promise.race([this.#ask(only), this.#run()]);
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

  #changed(): void {
    this.#lastMs = this.#options.clock.monotonic();
    if (this.#timer === undefined) this.#firstMs = this.#lastMs;
    this.#wait(pauseMs);
  }

  #wait(ms: number): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#timer = undefined;
      const dueMs = Math.min(this.#lastMs + pauseMs, this.#firstMs + pauseMsMax);
      const leftMs = dueMs - this.#options.clock.monotonic();
      if (leftMs > 0) this.#wait(leftMs);
      else void this.#tick();
    });
  }

  async #tick(): Promise<void> {
    try {
      if (!(await this.#run())) this.#wait(againMs);
    } catch (error) {
      this.#failed(error);
      this.#wait(afterFailureMs);
    }
  }

  #ask(key: RepositoryKey): Promise<boolean> {
    const asked = this.#asked.get(key.name) ?? { key, after: 0, isWhole: true, ...Promise.withResolvers<boolean>() };
    this.#asked.set(key.name, asked);
    return asked.promise;
  }

  #run(): Promise<boolean> {
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined;
      this.#asked.clear();
    });
    return this.#running;
  }

  async #writeAll(): Promise<boolean> {
    const { index, clock } = this.#options;
    if ((await index.outbox.pending(1)).length === 0) return true;
    const lease = await takeLease(this.#options, leaseKey, leaseMs);
    if (lease === undefined) return false;
    try {
      for (;;) {
        const [asked] = this.#asked.values();
        const entries = await index.outbox.pending(batch, asked);
        if (entries.length === 0 && asked === undefined) return true;
        if (clock.monotonic() > this.#untilMs) return false;
        const written = await this.#write(entries);
        if (asked !== undefined) this.#answer(asked, entries, written);
        else if (written === 0) return false;
        if (!(await index.leases.renew(lease, '', leaseMs, clock.now()))) return false;
      }
    } finally {
      await index.leases.release(lease, '');
    }
  }

  /** Each entry of it is tried once; who else is waited for has the next turn. */
  #answer(asked: Asked, entries: readonly OutboxEntry[], written: number): void {
    this.#asked.delete(asked.key.name);
    if (entries.length === 0) return asked.resolve(asked.isWhole);
    asked.after = entries.at(-1)?.sequence ?? asked.after;
    if (written < entries.length) asked.isWhole = false;
    this.#asked.set(asked.key.name, asked);
  }

  /** Returns how many could be written for now. */
  async #write(entries: readonly OutboxEntry[]): Promise<number> {
    const { store, index } = this.#options;
    if (entries.length === 0) return 0;
    if (!hasLinkTree(store)) {
      await index.outbox.settle(entries);
      return entries.length;
    }
    const resting = new Resting(this.#options);
    try {
      const due = await resting.take(entries);
      await store.writeLinks(due.map(({ link }) => link));
      const lost = await resting.store();
      const written = due.filter(({ link }) => link.kind !== 'manifest' || !lost.has(link.digest));
      await index.outbox.settle(written);
      return written.length;
    } finally {
      await resting.release();
    }
  }

  #failed(error: unknown): void {
    const message = messageOf(error);
    const { observer } = this.#options;
    if (error instanceof RegistryError && error.origin === 'store') {
      observer.emit({ type: 'store.failed', operation: 'links', code: systemCodeOf(error), message });
    } else {
      observer.emit({ type: 'task.failed', task: 'writing links of registry:2', message });
    }
  }
}

/** A repository that is written first. */
interface Asked {
  readonly key: RepositoryKey;
  /** The last of its entries that was looked at. */
  after: number;
  /** None of them had to be left for later. */
  isWhole: boolean;
  readonly promise: Promise<boolean>;
  resolve(isWritten: boolean): void;
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

  /**
   * Whoever took the manifest away meanwhile knew of no file; then what was written for it is to be discarded. Returns those
   * that took longer than their lease: somebody else may have deleted what was found in its place, and they are written again.
   */
  async store(): Promise<ReadonlySet<Digest>> {
    const { index } = this.#options;
    const lost = new Set<Digest>();
    for (const { lease, link } of this.#leases) {
      if (link.bytes === undefined) continue;
      if (!(await index.blobs.store(link.digest, link.bytes.length, lease, 0))) lost.add(link.digest);
      await index.collection.mayDiscard(link.digest);
    }
    return lost;
  }

  async release(): Promise<void> {
    for (const { lease } of this.#leases.splice(0)) await this.#options.index.leases.release(lease, '');
  }
}
