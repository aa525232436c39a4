import type { ByteStream, Filled } from '../oci/upload.ts';

/** Bytes that are here, as bytes that come. */
export function streamOf(bytes: Uint8Array): ByteStream {
  let at = 0;
  return {
    fill: async <B extends Uint8Array>(lend: () => B): Promise<Filled<B> | undefined> => {
      if (at >= bytes.length) return undefined;
      const buffer = lend();
      const piece = bytes.subarray(at, at + buffer.length);
      buffer.set(piece);
      at += piece.length;
      return { buffer, bytes: piece.length };
    },
  };
}
