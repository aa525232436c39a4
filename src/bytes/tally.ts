import type { Hash } from 'node:crypto';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Verified } from './assembly.ts';

/** How much is read back at once, in bytes. */
const readBackBytes = 1024 * 1024;

/** Content that comes in order and is hashed as it does; its sender tells the digest only at the end. */
export class Tally {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #size = 0;

  constructor(algorithm: DigestAlgorithm) {
    this.algorithm = algorithm;
    this.#hash = startHash(algorithm);
  }

  /** What was written before: once more from where it was written to. */
  static async of(
    algorithm: DigestAlgorithm,
    size: number,
    readBack: (into: Uint8Array, position: number) => Promise<number>,
  ): Promise<Tally> {
    const tally = new Tally(algorithm);
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBackBytes, Math.max(size, 1)));
    while (tally.size < size) {
      const wanted = buffer.subarray(0, Math.min(buffer.length, size - tally.size));
      const length = await readBack(wanted, tally.size);
      if (length === 0) throw lost(tally.size, size);
      tally.add(wanted.subarray(0, length));
    }
    return tally;
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  /** @throws RegistryError `DIGEST_INVALID` when the content is another; `expected` must be of this tally's algorithm */
  verify(expected: Digest): Verified {
    if (algorithmOf(expected) !== this.algorithm) throw new Error(`a tally of ${this.algorithm} cannot verify others`);
    const digest = digestOfHash(this.algorithm, this.#hash.copy());
    if (digest === expected) return { digest, size: this.#size } as Verified;
    throw new RegistryError(
      'DIGEST_INVALID',
      `the ${this.#size} bytes received have digest ${digest}, not ${expected}`,
    );
  }
}

function lost(position: number, size: number): RegistryError {
  const message = `of ${size} bytes that were written only ${position} are there: start again`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'store', detail: { code: 'TRUNCATED' } });
}
