import type { Hash } from 'node:crypto';
import { withheldBytes } from '../bytes/growth.ts';
import type { Growth } from '../bytes/growth.ts';
import type { Bytes } from '../oci/blob.ts';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Fork } from './passage.ts';

/** How much is read back at once, in bytes. */
const readBytes = 1024 * 1024;

export function forkAtStart(digest: Digest): Fork {
  return { position: 0, hash: startHash(algorithmOf(digest)) };
}

/**
 * Hashes on to where the first gap is, and no further than readers may have come: what they have read counts in the end,
 * and where they go on must be where the hash does. What cannot be read back is left out.
 * @throws RegistryError `DIGEST_INVALID` when there is no gap, and the content is wrong
 */
export async function hashOn(digest: Digest, fork: Fork, growth: Growth, bytes: Bytes): Promise<Fork> {
  const end = endFor(growth);
  const from = fork.position > end ? forkAtStart(digest) : fork;
  const hash = from.hash.copy();
  let { position } = from;
  const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, end - position));
  while (position < end) {
    const length = await bytes.read(buffer.subarray(0, end - position), position).catch(() => 0);
    if (length === 0) break;
    hash.update(buffer.subarray(0, length));
    position += length;
  }
  if (position === growth.size) verify(digest, hash, growth);
  return { position, hash };
}

function endFor(growth: Growth): number {
  const end = growth.extents.endOfRunAt(0);
  return end === growth.size ? end : Math.max(0, Math.min(end, growth.size - withheldBytes));
}

function verify(digest: Digest, hash: Hash, growth: Growth): void {
  const found = digestOfHash(algorithmOf(digest), hash.copy());
  if (found !== digest) throw new RegistryError('DIGEST_INVALID', `the content has digest ${found}, not ${digest}`);
  growth.verify();
}
