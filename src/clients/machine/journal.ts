import { createHash } from 'node:crypto';
import { chmod, chown, copyFile, stat, utimes } from 'node:fs/promises';
import type { MachineFiles } from '../plan.ts';
import type { RootedFiles } from './files.ts';

/**
 * What was done to a machine for one runtime, and what was there before: all that it takes to undo it. Plain text, because
 * `/setup.sh` reads and writes the same.
 *
 *     /var/lib/entrepot-client/docker-mirror/
 *     ├── journal     made DIRECTORY                                     a directory that was not there before
 *     │               file 1 AFTER BEFORE /etc/docker/daemon.json        SHA-256 of each; BEFORE is "-" where none was there
 *     │               run sudo systemctl restart docker                what has to be run for that to count
 *     └── 1           the file as it was before, with its owner, rights and times
 */
export interface Journal {
  readonly made: readonly string[];
  readonly files: readonly JournalFile[];
  readonly commands: readonly string[];
}

export interface JournalFile {
  /** Where its copy is, in the runtime's directory. */
  readonly copy: string;
  readonly path: string;
  readonly after: string;
  readonly before: string | undefined;
}

export const stateDirectory = '/var/lib/entrepot-client';

export function journalDirectory(runtime: string): string {
  return `${stateDirectory}/${runtime}`;
}

export async function readJournal(files: RootedFiles, runtime: string): Promise<Journal | undefined> {
  const text = await files.read(`${journalDirectory(runtime)}/journal`);
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  return {
    made: lines.flatMap((line) => /^made (.+)$/.exec(line)?.[1] ?? []),
    commands: lines.flatMap((line) => /^run (.+)$/.exec(line)?.[1] ?? []),
    files: lines.flatMap((line) => {
      const [, number = '', after = '', before, path = ''] = /^file (\d+) (\w+) (\w+|-) (.+)$/.exec(line) ?? [];
      if (number === '') return [];
      const copy = `${journalDirectory(runtime)}/${number}`;
      return [{ copy, path, after, before: before === '-' ? undefined : before }];
    }),
  };
}

export function journalText({ made, files, commands }: Journal): string {
  const directories = made.map((path) => `made ${path}\n`);
  const changed = files.map(
    ({ path, after, before }, index) => `file ${index + 1} ${after} ${before ?? '-'} ${path}\n`,
  );
  return [...directories, ...changed, ...commands.map((command) => `run ${command}\n`)].join('');
}

export function sumOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Files that are neither as they were left nor as they were before: somebody has changed them since. */
export async function changedSince(files: RootedFiles, journal: Journal): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const { path, after, before } of journal.files) {
    const bytes = await files.bytes(path);
    const sum = bytes && sumOf(bytes);
    if (sum !== after && sum !== before) changed.push(path);
  }
  return changed;
}

/** The machine as it was before. */
export function asBefore(files: RootedFiles, { files: changed }: Journal): MachineFiles {
  return {
    async read(path) {
      const entry = changed.find((each) => each.path === path);
      if (entry === undefined) return await files.read(path);
      return entry.before === undefined ? undefined : await files.read(entry.copy);
    },
    async list(directory) {
      const names = await files.list(directory);
      const added = changed.filter(({ before }) => before === undefined).map(({ path }) => path);
      return names.filter((name) => !added.includes(`${directory}/${name}`));
    },
  };
}

/** A copy that has the owner, the rights and the times of the original. */
export async function copyWhole(files: RootedFiles, from: string, to: string): Promise<void> {
  const [source, target] = [await files.real(from), await files.real(to)];
  const { mode, uid, gid, atimeMs, mtimeMs } = await stat(source);
  await copyFile(source, target);
  await chmod(target, mode & 0o7777);
  await chown(target, uid, gid);
  await utimes(target, atimeMs / 1000, mtimeMs / 1000);
}
