import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RegistryError } from '../oci/errors.ts';

const keyBytes = 32;

/**
 * The key that tokens of ours are signed with: made once, kept beside the index, shared by all processes over the store.
 * @param path `undefined` where nothing is kept: then it dies with the process
 * @throws RegistryError `UNAVAILABLE` (origin `operator`) when it can be neither read nor made
 */
export async function openTokenKey(path: string | undefined): Promise<Uint8Array> {
  if (path === undefined) return randomBytes(keyBytes);
  const known = await readKey(path);
  if (known !== undefined) return known;
  const mine = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(mine, randomBytes(keyBytes), { mode: 0o600, flush: true });
    // Whoever comes first has made it, whole: a link never replaces what is there.
    await link(mine, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  } catch (cause) {
    throw unusable(path, codeOf(cause), cause);
  } finally {
    await rm(mine, { force: true });
  }
  const made = await readKey(path);
  if (made === undefined) throw unusable(path, 'ENOENT', undefined);
  return made;
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unusable(path, codeOf(error), error);
  });
  if (bytes !== undefined && bytes.length !== keyBytes) throw unusable(path, `it has ${bytes.length} bytes`, undefined);
  return bytes;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function unusable(path: string, why: string, cause: unknown): RegistryError {
  const message = `the key of the token service, ${path}, cannot be used (${why}); make it readable for this user, or remove it and have another made: those who logged in then do so again`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}
