import type { BlobReader, ByteSource, Lent, OpenOptions } from '../oci/blob.ts';
import { systemCodeOf } from '../oci/errors.ts';

/** How often a reader looks for its blob anew: a cache that evicts faster than that serves nobody anyway. */
const attemptsMax = 3;

/**
 * A blob that is found and then evicted, before it is opened or before a reader of its arrival has come to open it: the
 * reader goes on with what is fetched again. One that has its file open keeps it, and notices nothing.
 *
 * @param again brings the blob in once more; `undefined` when the upstream no longer has it
 */
export function lasting(blob: BlobReader, again: () => Promise<BlobReader | undefined>): BlobReader {
  const { digest, size } = blob;
  return {
    digest,
    size,
    async open(options) {
      const source = new LastingSource(blob, again, options);
      await source.opened();
      return source;
    },
  };
}

class LastingSource implements ByteSource {
  readonly #again: () => Promise<BlobReader | undefined>;
  readonly #options: OpenOptions;
  #blob: BlobReader;
  #source: ByteSource | undefined;
  #attempts = 1;
  #left = false;

  constructor(blob: BlobReader, again: () => Promise<BlobReader | undefined>, options: OpenOptions) {
    this.#blob = blob;
    this.#again = again;
    this.#options = options;
  }

  async opened(): Promise<void> {
    await this.#lasting(async () => {});
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#lasting((source) => source.read(into, position));
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    return this.#source?.readNow?.(into, position);
  }

  lend(position: number, lengthMax: number): Lent | undefined {
    return this.#source?.lend?.(position, lengthMax);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left = true;
    await this.#source?.[Symbol.asyncDispose]();
  }

  async #lasting<T>(use: (source: ByteSource) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        this.#source ??= await this.#open();
        return await use(this.#source);
      } catch (error) {
        if (systemCodeOf(error) !== 'VANISHED' || this.#attempts >= attemptsMax) throw error;
        await this.#lookAgain(error);
      }
    }
  }

  async #open(): Promise<ByteSource> {
    const source = await this.#blob.open(this.#options);
    if (!this.#left) return source;
    await source[Symbol.asyncDispose]();
    throw new Error('this reader has left');
  }

  async #lookAgain(reason: unknown): Promise<void> {
    this.#attempts += 1;
    await this.#source?.[Symbol.asyncDispose]();
    this.#source = undefined;
    const found = await this.#again();
    // Its headers have promised another number of bytes.
    if (found?.size !== this.#blob.size) throw reason;
    this.#blob = found;
  }
}
