import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../failure.ts';
import { syncPath } from './sync-path.ts';

/** Makes directories when they are needed, durably, and remembers which it has seen. */
export class Directories {
  /** Bounded by the layout: the root, ours, and 256 prefixes an algorithm. */
  readonly #seen = new Set<string>();

  /** With the directories above it. One that had to be made is synced into the one above. */
  async ensure(path: string, mode?: number): Promise<void> {
    if (this.#seen.has(path)) return;
    if (await this.#make(path, mode)) await syncDirectory(dirname(path));
    this.#seen.add(path);
  }

  /** Does something in a directory, made if need be; once more when somebody has removed it meanwhile. */
  async within<T>(path: string, mode: number | undefined, run: () => Promise<T>): Promise<T> {
    try {
      await this.ensure(path, mode);
      return await run();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      this.#seen.clear();
      await this.ensure(path, mode);
      return await run();
    }
  }

  async #make(path: string, mode: number | undefined): Promise<boolean> {
    try {
      return await makeDirectory(path, mode);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      await this.ensure(dirname(path), mode);
      return await makeDirectory(path, mode);
    }
  }
}

/** False when it exists already. */
export async function makeDirectory(path: string, mode = 0o777): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Resolves when the names in it are on the disk. Some network file systems cannot promise that; it is not held against them. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await syncPath(path, 'all');
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
  }
}
