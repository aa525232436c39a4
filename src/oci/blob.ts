import type { Digest } from './digest.ts';

/**
 * Bytes that can be read from any offset, whether they rest in a store or are still arriving. A reader goes at its own
 * pace: `read` waits only for the bytes that it was asked for.
 */
export interface Bytes {
  /**
   * Fills `into` from `position` (bytes from the start of the content) with what is there: at least one byte, at most
   * `into.length`. Resolves to the number of bytes; 0 only at the end of the content.
   * @throws RegistryError when the content will never be there, or turned out not to be what its digest says
   */
  read(into: Uint8Array, position: number): Promise<number>;
  /**
   * The same at once, at least one byte, where that takes no longer than copying them; `undefined` where it might, at the
   * end, and when it fails: `read` waits, and tells. It never throws.
   */
  readNow?(into: Uint8Array, position: number): number | undefined;
  /**
   * Some of the bytes from `position` on, at most `lengthMax`, where they lie in memory and others may read them there;
   * `undefined` where they do not. It never throws.
   */
  lend?(position: number, lengthMax: number): Lent | undefined;
}

/** Bytes that stay as they are until they are let go, once. */
export interface Lent {
  readonly bytes: Uint8Array;
  readonly letGo: () => void;
}

/** Bytes that somebody has opened. */
export interface ByteSource extends Bytes, AsyncDisposable {}

export interface OpenOptions {
  /**
   * Hold back the end of the content until its size and digest are verified, so that nobody who reads to the end ever
   * completes a bad body. Content at rest is verified already; it makes no difference there.
   */
  readonly verified: boolean;
}

/** A blob that was found. It can be opened many times. */
export interface BlobReader {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  open(options: OpenOptions): Promise<ByteSource>;
}
