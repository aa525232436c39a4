import { existsSync, renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { indexError, isBusy } from './failure.ts';

/** What the files of a database are called, after its own name. */
const files = ['', '-wal', '-shm'];

/**
 * Moves an index out of the way, damaged or not, so that another one can be made in its place. Those that were moved away
 * before stay.
 * @param move otherwise it is only seen to that this could be done
 * @returns where it lies now; `undefined` when there was none
 * @throws RegistryError `UNAVAILABLE` (origin `index`) when a process has it open
 */
export function setAsideSqliteIndex(path: string, move: boolean): string | undefined {
  if (!existsSync(path)) return undefined;
  assertUnused(path);
  const aside = freeName(`${path}.before-rebuild`);
  if (!move) return aside;
  for (const suffix of files) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

/** That name, or the first of those numbered from 2 on that no file of a database has. */
function freeName(name: string): string {
  const isTaken = (candidate: string): boolean => files.some((suffix) => existsSync(candidate + suffix));
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}.${number}`;
    if (!isTaken(candidate)) return candidate;
  }
}

/** Who has a database with a write-ahead log open keeps others from opening it for themselves alone. */
function assertUnused(path: string): void {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path);
    connection.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; ROLLBACK');
  } catch (error) {
    // What cannot be read is what this is for.
    if (!isBusy(error)) return;
    throw indexError(`a running entrepot uses the index ${path}: stop it first, then try again`, 'BUSY', error);
  } finally {
    connection?.close();
  }
}
