import type { Hash } from 'node:crypto';
import { algorithmOf, digestOfHash, parseDigest, startHash } from '../oci/digest.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Verified } from './assembly.ts';
import type { HashThread, RunningHash } from './hash-thread.ts';

/** How much is read back at once, in bytes. */
const readBackBytes = 1024 * 1024;
/** What begins with less is hashed here: to ask the thread would take longer. In bytes. */
const threadBytesMin = 128 * 1024;

/**
 * Content that comes in order and is hashed as it does; its sender tells the digest only at the end. Given a thread, and
 * pieces in shared memory, it is hashed there. Disposing it forgets what came.
 */
export class Tally implements Disposable {
  readonly algorithm: DigestAlgorithm;
  readonly #thread: HashThread | undefined;
  #hash: Hash | undefined;
  #away: RunningHash | undefined;
  #size = 0;

  constructor(algorithm: DigestAlgorithm, thread?: HashThread) {
    this.algorithm = algorithm;
    this.#thread = thread;
  }

  /** What was written before: once more from where it was written to. */
  static async of(
    { algorithm, thread }: { readonly algorithm: DigestAlgorithm; readonly thread?: HashThread | undefined },
    size: number,
    readBack: (into: Uint8Array, position: number) => Promise<number>,
  ): Promise<Tally> {
    const tally = new Tally(algorithm, thread);
    const buffer = Buffer.from(new SharedArrayBuffer(Math.min(readBackBytes, Math.max(size, 1))));
    while (tally.size < size) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, size - tally.size));
      const length = await readBack(wanted, tally.size);
      if (length === 0) throw lost(tally.size, size);
      await tally.add(wanted.subarray(0, length));
    }
    return tally;
  }

  /** In bytes, those included that are still being hashed. */
  get size(): number {
    return this.#size;
  }

  /** Resolves when the bytes may be written over. Those of a next call may be added before. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#begin(bytes);
    this.#size += bytes.length;
    if (this.#away === undefined) this.#hash?.update(bytes);
    else await this.#away.update(bytes);
  }

  /** @throws RegistryError `DIGEST_INVALID` when the content is another; `expected` must be of this tally's algorithm */
  async verify(expected: Digest): Promise<Verified> {
    if (algorithmOf(expected) !== this.algorithm) throw new Error(`a tally of ${this.algorithm} cannot verify others`);
    const size = this.#size;
    const digest = await this.#digest();
    if (digest === expected) return { digest, size } as Verified;
    throw new RegistryError('DIGEST_INVALID', `the ${size} bytes received have digest ${digest}, not ${expected}`);
  }

  [Symbol.dispose](): void {
    this.#away?.[Symbol.dispose]();
  }

  #begin({ buffer, length }: Uint8Array): void {
    if (this.#hash !== undefined || this.#away !== undefined) return;
    const isLong = length >= threadBytesMin && buffer instanceof SharedArrayBuffer;
    if (isLong) this.#away = this.#thread?.start(this.algorithm);
    if (this.#away === undefined) this.#hash = startHash(this.algorithm);
  }

  async #digest(): Promise<Digest> {
    if (this.#away !== undefined) return parseDigest(`${this.algorithm}:${await this.#away.digest()}`);
    return digestOfHash(this.algorithm, this.#hash?.copy() ?? startHash(this.algorithm));
  }
}

function lost(position: number, size: number): RegistryError {
  const message = `of ${size} bytes that were written only ${position} are there: start again`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', detail: { code: 'TRUNCATED' } });
}
