import type { BlobReader } from '../oci/blob.ts';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import { messageOf } from '../oci/errors.ts';
import { isStoreLoss, storeLoss } from '../store/failure.ts';

/** In bytes. */
const readBytes = 1024 * 1024;

/**
 * Reads a blob to its end.
 * @param use called with each piece, which is overwritten by the next, and with how many bytes were read with it
 * @throws RegistryError (a loss of the store) when it ends early
 */
export async function readToEnd(
  blob: BlobReader,
  use: (piece: Uint8Array, done: number) => void | Promise<void>,
): Promise<void> {
  const { digest, size } = blob;
  await using source = await blob.open({ verified: true });
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  let done = 0;
  while (done < size) {
    const length = await source.read(buffer, done);
    if (length === 0) throw storeLoss(`${digest} ended early`, 'TRUNCATED');
    done += length;
    await use(buffer.subarray(0, length), done);
  }
}

/**
 * Reads a blob at rest, and returns what is wrong with it; `undefined` when it is what its digest says.
 * @param onRead called after each piece: how many bytes it has, and how many were read with it
 * @throws what keeps it from being read for now: it may be whole
 */
export async function whatIsWrong(
  blob: BlobReader,
  onRead: (bytes: number, done: number) => void | Promise<void>,
): Promise<string | undefined> {
  const algorithm = algorithmOf(blob.digest);
  const hash = startHash(algorithm);
  try {
    await readToEnd(blob, (piece, done) => {
      hash.update(piece);
      return onRead(piece.length, done);
    });
  } catch (error) {
    if (!isStoreLoss(error)) throw error;
    return `it cannot be read: ${messageOf(error)}`;
  }
  const digest = digestOfHash(algorithm, hash);
  return digest === blob.digest ? undefined : `its content has digest ${digest}`;
}
