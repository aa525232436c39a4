import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';

/** Makes directories when they are needed, durably, and remembers which it has seen. */
export class Directories {
  /** Bounded by the layout: the root, ours, and 256 prefixes an algorithm. */
  readonly #seen = new Set<string>();

  /** With the directories above it. One that had to be made is synced into the one above. */
  async ensure(path: string, mode?: number): Promise<void> {
    if (this.#seen.has(path)) return;
    let found = await makeDirectory(path, mode);
    if (found === 'orphan') {
      await this.ensure(dirname(path), mode);
      found = await makeDirectory(path, mode);
    }
    if (found === 'made') await syncDirectory(dirname(path));
    if (found !== 'orphan') this.#seen.add(path);
  }

  /** Somebody has removed directories: look again. */
  forget(): void {
    this.#seen.clear();
  }
}

/** `orphan`: it could not be made because the directory above is missing. */
export async function makeDirectory(path: string, mode = 0o777): Promise<'made' | 'existed' | 'orphan'> {
  try {
    await mkdir(path, { mode });
    return 'made';
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return 'existed';
    if (code === 'ENOENT') return 'orphan';
    throw error;
  }
}

/** Resolves when the names in it are on the disk. Some network file systems cannot promise that; it is not held against them. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
  }
}
