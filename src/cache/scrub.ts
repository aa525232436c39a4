import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Index } from '../index/contract.ts';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { setAside } from './held.ts';

export interface ScrubContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Fetches it again from where it came from. */
  refetch(digest: Digest): Promise<void>;
}

/** One round a week over everything, slowly: bytes at rest rot slowly too. */
const roundMs = 7 * 24 * 60 * 60 * 1000;
const firstRoundMs = 60 * 60 * 1000;
const bytesPerSecond = 16 * 1024 * 1024;
const readBytes = 1024 * 1024;
const pageSize = 100;

/** Re-hashes what is at rest; what is wrong is moved aside and fetched again. */
export class Scrub {
  readonly #context: ScrubContext;
  readonly #closing = new AbortController();
  #timer: Timer;
  #running: Promise<void> = Promise.resolve();

  constructor(context: ScrubContext) {
    this.#context = context;
    this.#timer = this.#after(firstRoundMs);
  }

  /** One round now. @returns how many blobs were damaged */
  async round(paceBytesPerSecond: number = bytesPerSecond): Promise<number> {
    let damaged = 0;
    let after: Digest | undefined;
    for (;;) {
      const page = await this.#context.index.blobs.list(after, pageSize);
      for (const { digest } of page) {
        if (this.#closing.signal.aborted) return damaged;
        if (!(await this.#examine(digest, paceBytesPerSecond))) damaged += 1;
        after = digest;
      }
      if (page.length < pageSize) return damaged;
    }
  }

  async close(): Promise<void> {
    this.#timer.cancel();
    this.#closing.abort();
    await this.#running;
  }

  #after(ms: number): Timer {
    return this.#context.clock.setTimer(ms, () => {
      this.#running = this.round()
        .catch((error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          this.#context.observer.emit({ type: 'task.failed', task: 'scrub', message });
        })
        .then(() => {
          this.#timer = this.#after(roundMs);
        });
    });
  }

  /** False when it was damaged or gone. */
  async #examine(digest: Digest, pace: number): Promise<boolean> {
    const blob = await this.#context.store.find(digest);
    const wrong = blob === undefined ? 'its file is gone' : await this.#whatIsWrong(blob, pace);
    if (wrong === undefined) return true;
    await setAside(this.#context, digest, wrong);
    await this.#context.refetch(digest);
    return false;
  }

  async #whatIsWrong(blob: BlobReader, pace: number): Promise<string | undefined> {
    const hash = startHash(algorithmOf(blob.digest));
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    try {
      await using source = await blob.open({ verified: true });
      for (let position = 0; position < blob.size;) {
        const length = await source.read(buffer, position);
        if (length === 0) return 'it ends early';
        hash.update(buffer.subarray(0, length));
        position += length;
        await this.#context.clock.sleep((length / pace) * 1000, this.#closing.signal);
      }
    } catch (error) {
      if (this.#closing.signal.aborted) return undefined;
      return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
    const digest = digestOfHash(algorithmOf(blob.digest), hash);
    return digest === blob.digest ? undefined : `its content has digest ${digest}`;
  }
}
