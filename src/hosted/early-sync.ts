import type { Ingest } from '../store/blob-store.ts';

/** So much is written before the disk is told to get on with it, in bytes. */
const everyBytes = 8 * 1024 * 1024;
/** Of all uploads together: each sync takes a thread, and whoever reads needs some, too. */
const runningMax = 4;

let running = 0;

/**
 * Syncs a long upload while it is received, so that the sync at its end finds little to do: five gigabytes in the memory
 * of the kernel would make its last request wait for minutes.
 */
export class EarlySync {
  readonly #ingest: Ingest;
  #since = 0;
  #current: Promise<void> | undefined;
  #failure: unknown;

  constructor(ingest: Ingest) {
    this.#ingest = ingest;
  }

  /** True every so many bytes. */
  wrote(bytes: number): boolean {
    this.#since += bytes;
    if (this.#since < everyBytes) return false;
    this.#since = 0;
    if (this.#current === undefined && running < runningMax) this.#current = this.#run();
    return true;
  }

  /** @throws when a sync has failed: the kernel tells that once, and a later one would know nothing of it */
  async end(): Promise<void> {
    await this.#current;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    running += 1;
    try {
      await this.#ingest.sync();
    } catch (error) {
      this.#failure ??= error;
    } finally {
      running -= 1;
      this.#current = undefined;
    }
  }
}
