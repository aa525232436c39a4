/**
 * What the disk takes by itself, for as much as a server writes to it.
 */
import { execFile } from 'node:child_process';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** `dd` with a sync at its end, in milliseconds. */
export async function ddMs(directory: string, mebibytes: number): Promise<number> {
  const file = join(directory, 'dd');
  const startedAt = performance.now();
  await promisify(execFile)('dd', [
    'if=/dev/zero',
    `of=${file}`,
    'bs=1M',
    `count=${mebibytes}`,
    'conv=fdatasync',
    'status=none',
  ]);
  const ms = performance.now() - startedAt;
  await rm(file);
  return ms;
}

/** Syncs every file in a directory, by another's descriptors, in milliseconds. */
export async function syncMs(directory: string): Promise<number> {
  const startedAt = performance.now();
  for (const name of await readdir(directory)) {
    await using file = await open(join(directory, name), 'r');
    await file.datasync();
  }
  return performance.now() - startedAt;
}
