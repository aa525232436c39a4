import { readdir } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.ts';
import { errorCode, storeFailure } from '../failure.ts';
import { algorithmPath, algorithms, digestAt } from './layout.ts';
import type { Layout } from './layout.ts';

const prefixes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * The names of blobs, in order, a piece for each directory of a prefix: four thousand of a million. Whether their content is
 * there, nobody has looked.
 */
export async function* restingDigests(layout: Layout): AsyncIterable<readonly Digest[]> {
  for (const algorithm of algorithms) {
    const top = algorithmPath(layout, algorithm);
    const present = new Set(await readdir(top).catch(noneIfMissing));
    for (const prefix of prefixes) {
      if (!present.has(prefix)) continue;
      const names = await readdir(`${top}/${prefix}`).catch(noneIfMissing);
      const digests = names.map((name) => digestAt(algorithm, prefix, name)).filter((digest) => digest !== undefined);
      if (digests.length > 0) yield digests.sort();
    }
  }
}

export function noneIfMissing(error: unknown): readonly string[] {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return [];
  throw storeFailure('listing the store', error);
}
