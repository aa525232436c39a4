import type { Digest } from '../../oci/digest.ts';

/** The first byte of a stored digest. */
const sha256 = 1;
const sha512 = 2;

/** A digest as the database keeps it: the algorithm's number, then the hash. */
export function encodeDigest(digest: Digest): Uint8Array {
  const wide = digest.length > 71;
  const bytes = Buffer.allocUnsafe(wide ? 65 : 33);
  bytes[0] = wide ? sha512 : sha256;
  bytes.write(digest.slice(7), 1, 'hex');
  return bytes;
}

export function decodeDigest(bytes: Uint8Array): Digest {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex', 1);
  return `${bytes[0] === sha512 ? 'sha512' : 'sha256'}:${hex}` as Digest;
}
