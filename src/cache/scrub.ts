import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Index } from '../index/contract.ts';
import { downloadKeyOf } from '../index/settling.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { setAside } from './held.ts';
import type { Holder } from './holder.ts';
import { leaseMs } from './publishing.ts';

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
const readBytes = 1024 * 1024;
const pageSize = 100;

/** Re-hashes what is at rest, slowly; what is wrong is moved aside and fetched again. */
export class Scrub {
  readonly #context: ScrubContext;

  constructor(context: ScrubContext) {
    this.#context = context;
  }

  /** Over everything, until it is done or `signal` aborts. */
  async round(signal: AbortSignal): Promise<void> {
    let after: Digest | undefined;
    for (;;) {
      const page = await this.#context.index.blobs.list(after, pageSize);
      for (const { digest } of page) {
        if (signal.aborted) return;
        await this.#examine(digest, signal);
        after = digest;
      }
      if (page.length < pageSize) return;
    }
  }

  async #examine(digest: Digest, signal: AbortSignal): Promise<void> {
    const blob = await this.#context.store.find(digest);
    const wrong = blob === undefined ? 'its file is gone' : await this.#whatIsWrong(blob, signal);
    if (wrong !== undefined && (await this.#clearAway(digest, wrong))) await this.#context.refetch(digest);
  }

  /** False when it was evicted meanwhile, or somebody is bringing it in or evicting it: then it is theirs to care for. */
  async #clearAway(digest: Digest, reason: string): Promise<boolean> {
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

  async #whatIsWrong(blob: BlobReader, signal: AbortSignal): Promise<string | undefined> {
    const hash = startHash(algorithmOf(blob.digest));
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    try {
      await using source = await blob.open({ verified: true });
      for (let position = 0; position < blob.size;) {
        const length = await source.read(buffer, position);
        if (length === 0) return 'it ends early';
        hash.update(buffer.subarray(0, length));
        position += length;
        await this.#context.clock.sleep((length / bytesPerSecond) * 1000, signal);
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
    const digest = digestOfHash(algorithmOf(blob.digest), hash);
    return digest === blob.digest ? undefined : `its content has digest ${digest}`;
  }
}
