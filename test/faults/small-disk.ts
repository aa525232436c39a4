/** A file system of a few megabytes, where this process may mount one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);

export class SmallDisk implements AsyncDisposable {
  /** For a world whose store is on it. */
  readonly options: { readonly directory: string; readonly config: Readonly<Record<string, unknown>> };
  readonly #dir: TempDir;
  readonly #mounted: string;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.#mounted = dir.join('registry');
    this.options = { directory: dir.path, config: { cache: { size: '1GiB', diskfree: '0%' } } };
  }

  static async mount(bytes: number): Promise<SmallDisk> {
    const disk = new SmallDisk(await TempDir.make());
    await mkdir(disk.#mounted);
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', disk.#mounted]);
    return disk;
  }

  /** Takes all the space that is left. */
  async fill(): Promise<void> {
    await using file = await open(join(this.#mounted, 'ballast'), 'w');
    for (const piece of [Buffer.alloc(65_536), Buffer.alloc(1)]) {
      await (async () => {
        for (;;) await file.write(piece);
      })().catch((error: unknown) => assert.match(String(error), /ENOSPC/));
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.#mounted, 'ballast'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.#mounted]);
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** Why there can be no such disk here; `false` when there can. */
export async function whyNoSmallDisk(): Promise<string | false> {
  try {
    await using _disk = await SmallDisk.mount(1024 * 1024);
    return false;
  } catch {
    return 'mounting a file system needs root and the right to';
  }
}
