import type { Hash } from 'node:crypto';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Growth } from './growth.ts';

/** Proof that content of this digest and size was hashed whole. Only `Assembly` and `Tally` make one. */
export interface Verified {
  readonly digest: Digest;
  readonly size: number;
  readonly __verified: typeof proof;
}

declare const proof: unique symbol;

/** How much is read back at once, in bytes. */
const readBackBytes = 1024 * 1024;

/**
 * Content coming together in any order, hashed from its start as it grows: a piece that continues the hashed prefix is
 * hashed from memory; what arrived ahead of it is read back, once, when the prefix reaches it.
 */
export class Assembly {
  readonly digest: Digest;
  readonly growth: Growth;
  /** Resolves when all bytes are there and right; rejects when they are wrong or cannot be read back. */
  readonly verified: Promise<Verified>;
  readonly #readBack: (into: Uint8Array, position: number) => Promise<number>;
  readonly #outcome = Promise.withResolvers<Verified>();
  #hash: Hash;
  #hashed = 0;
  #readingBack = false;

  constructor(digest: Digest, growth: Growth, readBack: (into: Uint8Array, position: number) => Promise<number>) {
    this.digest = digest;
    this.growth = growth;
    this.#readBack = readBack;
    this.#hash = startHash(algorithmOf(digest));
    this.verified = this.#outcome.promise;
    this.verified.catch(() => {});
    this.#advance();
  }

  /** These bytes have been written at `position`. */
  add(chunk: Uint8Array, position: number): void {
    if (position === this.#hashed && !this.#readingBack) {
      this.#hash.update(chunk);
      this.#hashed += chunk.length;
    }
    this.growth.add(position, position + chunk.length);
    this.#advance();
  }

  /** The content ends here: the sender had not said its size beforehand. */
  endAt(size: number): void {
    this.growth.endAt(size);
    this.#advance();
  }

  /** The hashed prefix, to go on elsewhere with content that is not written any more. */
  fork(): { readonly position: number; readonly hash: Hash } {
    return { position: this.#hashed, hash: this.#hash.copy() };
  }

  #advance(): void {
    if (this.#readingBack) return;
    if (this.#hashed >= this.growth.size) return this.#finish();
    if (this.growth.extents.endOfRunAt(this.#hashed) === this.#hashed) return;
    this.#readingBack = true;
    this.#catchUp().then(
      () => {
        this.#readingBack = false;
        this.#advance();
      },
      (error: unknown) => this.#outcome.reject(error),
    );
  }

  async #catchUp(): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(readBackBytes);
    for (;;) {
      const end = this.growth.extents.endOfRunAt(this.#hashed);
      if (end === this.#hashed) return;
      const length = await this.#readBack(
        buffer.subarray(0, Math.min(buffer.length, end - this.#hashed)),
        this.#hashed,
      );
      if (length === 0)
        throw new RegistryError('UNAVAILABLE', 'bytes that were written are not there', { origin: 'store' });
      this.#hash.update(buffer.subarray(0, length));
      this.#hashed += length;
    }
  }

  #finish(): void {
    const { size } = this.growth;
    const digest = digestOfHash(algorithmOf(this.digest), this.#hash.copy());
    if (digest === this.digest && size === this.#hashed) this.#outcome.resolve({ digest, size } as Verified);
    else if (size === this.#hashed) this.#reject(`the content has digest ${digest}, not ${this.digest}`);
    else this.#reject(`${this.#hashed} bytes of the content had come when it turned out to have ${size}`);
  }

  #reject(reason: string): void {
    this.#outcome.reject(new RegistryError('DIGEST_INVALID', reason, { origin: 'upstream' }));
  }
}
