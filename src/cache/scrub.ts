import type { Digest } from '../oci/digest.ts';
import { asError } from '../oci/errors.ts';
import type { Index } from '../index/contract.ts';
import { downloadKeyOf } from '../index/settling.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { setAside } from './held.ts';
import type { Holder } from './holder.ts';
import { leaseMs } from './publishing.ts';
import { whatIsWrong } from './reading.ts';

export interface ScrubContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly holder: Holder;
  /** Fetches it again from where it came from. */
  refetch(digest: Digest): Promise<void>;
}

const bytesPerSecond = 16 * 1024 * 1024;
const pageSize = 100;

/** Re-hashes what is at rest, slowly; what is wrong is moved aside and fetched again. */
export class Scrub {
  readonly #context: ScrubContext;

  constructor(context: ScrubContext) {
    this.#context = context;
  }

  /**
   * Over everything, until it is done or `signal` aborts.
   * @throws Error at the end, when some could not be read (they are left alone, for they may be whole) or fetched again
   */
  async round(signal: AbortSignal): Promise<void> {
    const troubles = new Troubles();
    let after: Digest | undefined;
    for (;;) {
      const page = await this.#context.index.blobs.list(after, pageSize);
      for (const { digest } of page) {
        if (signal.aborted) return;
        await this.#examine(digest, signal).catch((error: unknown) => troubles.note(digest, error));
        after = digest;
      }
      if (page.length < pageSize) break;
    }
    if (!signal.aborted) troubles.throwIfAny();
  }

  async #examine(digest: Digest, signal: AbortSignal): Promise<void> {
    const blob = await this.#context.store.find(digest);
    const slowly = (bytes: number): Promise<void> => this.#context.clock.sleep((bytes / bytesPerSecond) * 1000, signal);
    const wrong = blob === undefined ? 'its file is gone' : await whatIsWrong(blob, slowly);
    if (wrong !== undefined && (await this.putAside(digest, wrong))) await this.#context.refetch(digest);
  }

  /** False when it was evicted meanwhile, or somebody is bringing it in or evicting it: then it is theirs to care for. */
  async putAside(digest: Digest, reason: string): Promise<boolean> {
    const { index, clock, holder } = this.#context;
    const lease = await index.leases.acquire(downloadKeyOf(digest), holder, leaseMs, clock.now());
    if (lease === undefined) return false;
    try {
      if ((await index.blobs.stored(digest)) === undefined) return false;
      await setAside(this.#context, digest, reason);
      return true;
    } finally {
      await index.leases.release(lease, '');
    }
  }
}

/** What went wrong with single blobs while the others were seen to. */
class Troubles {
  #count = 0;
  #first: { readonly digest: Digest; readonly cause: Error } | undefined;

  note(digest: Digest, thrown: unknown): void {
    const cause = asError(thrown);
    this.#count += 1;
    this.#first ??= { digest, cause };
  }

  throwIfAny(): void {
    if (this.#first === undefined) return;
    const { digest, cause } = this.#first;
    const which = `${this.#count} could not be read or fetched again, first ${digest}`;
    throw new Error(`${which}: ${cause.message}`, { cause });
  }
}
