import type { BlobReader } from '../oci/blob.ts';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';

/** In bytes. */
const readBytes = 1024 * 1024;

/**
 * Reads a blob to its end.
 * @param use called with each piece, which is overwritten by the next, and with how many bytes were read with it
 */
export async function readToEnd(blob: BlobReader, use: (piece: Uint8Array, done: number) => void): Promise<void> {
  const { digest, size } = blob;
  await using source = await blob.open({ verified: true });
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  let done = 0;
  while (done < size) {
    const length = await source.read(buffer, done);
    if (length === 0) throw new RegistryError('UNAVAILABLE', `${digest} ended early`, { origin: 'entrepot' });
    done += length;
    use(buffer.subarray(0, length), done);
  }
}

/**
 * Reads a blob at rest, and returns what is wrong with it; `undefined` when it is what its digest says.
 * @param onRead called with how many bytes were read
 */
export async function whatIsWrong(blob: BlobReader, onRead: (done: number) => void): Promise<string | undefined> {
  const algorithm = algorithmOf(blob.digest);
  const hash = startHash(algorithm);
  await readToEnd(blob, (piece, done) => {
    hash.update(piece);
    onRead(done);
  });
  const digest = digestOfHash(algorithm, hash);
  return digest === blob.digest ? undefined : `its content has digest ${digest}`;
}
