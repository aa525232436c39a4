/**
 * Text that people see, kept in a file and compared: a change shows up in the review as what it is.
 * `UPDATE_GOLDEN=1 node --test FILE` writes it anew.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** @param path from the repository's root */
export function assertGolden(path: string, actual: string): void {
  const file = join(root, path);
  if (process.env['UPDATE_GOLDEN'] !== undefined) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  assert.equal(actual, read(file), `${path} is not current; if the change is meant, run again with UPDATE_GOLDEN=1`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} is missing; run again with UPDATE_GOLDEN=1`, { cause });
  }
}
