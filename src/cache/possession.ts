import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { forkAtStart } from './fork.ts';
import type { Policy } from './freshness.ts';
import { Passage } from './passage.ts';
import type { Source } from './sources.ts';

const pieceBytes = 64 * 1024;

/**
 * Whether a repository has a blob. By its word; but a registry that nobody has named could say so of anything that is held
 * for others, and has to send it.
 * @throws RegistryError `UPSTREAM_INVALID` when it sends something else
 */
export async function possesses(digest: Digest, source: Source, { isBelieved }: Policy): Promise<boolean> {
  const size = await source.repository.blobSize(digest, source.identity, { direct: true });
  if (size === undefined || isBelieved) return size !== undefined;
  const algorithm = algorithmOf(digest);
  if (size === 0) return digestOfHash(algorithm, startHash(algorithm)) === digest;
  await using passage = new Passage({ digest, size, source, onLie: () => {} }, forkAtStart(digest));
  const piece = Buffer.allocUnsafeSlow(pieceBytes);
  for (let position = 0; position < size;) position += await passage.read(piece, position);
  return true;
}
