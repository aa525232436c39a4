import { RegistryError } from '../../oci/errors.ts';
import type { RootedFiles } from './files.ts';
import { changedSince, copyWhole, journalDirectory, readJournal, stateDirectory } from './journal.ts';
import type { JournalFile } from './journal.ts';

export interface Undone {
  /** Paths of what was put back or removed. */
  readonly restored: readonly string[];
  /** To be run now. */
  readonly commands: readonly string[];
}

/**
 * Puts everything back as it was before, byte by byte, or nothing at all.
 * @throws RegistryError when nothing was applied, or somebody has changed it since
 */
export async function undo(runtime: string, files: RootedFiles): Promise<Undone> {
  const journal = await readJournal(files, runtime);
  const directory = journalDirectory(runtime);
  if (journal === undefined) {
    throw new RegistryError(
      'NOT_FOUND',
      `nothing has been applied for ${runtime} on this machine: ${directory} is not there`,
      {
        origin: 'operator',
      },
    );
  }
  const changed = await changedSince(files, journal);
  if (changed.length > 0) throw refusal(changed, journal.files, directory);
  for (const file of journal.files) await restore(file, files);
  for (const { copy } of journal.files) await files.remove(copy);
  await files.remove(`${directory}/journal`);
  for (const each of journal.made.toReversed()) await files.removeEmpty(each);
  await files.removeEmpty(directory);
  await files.removeEmpty(stateDirectory);
  return { restored: journal.files.map(({ path }) => path), commands: journal.commands };
}

async function restore({ path, copy, before }: JournalFile, files: RootedFiles): Promise<void> {
  if (before === undefined) return await files.remove(path);
  const bytes = await files.bytes(copy);
  if (bytes === undefined) throw new Error(`${copy} is missing`);
  await files.write(path, bytes);
  await copyWhole(files, copy, path);
}

function refusal(changed: readonly string[], all: readonly JournalFile[], directory: string): RegistryError {
  const kept = all.filter(({ path, before }) => changed.includes(path) && before !== undefined);
  const where = kept.map(({ path, copy }) => `${path} as it was before is in ${copy}`).join('; ');
  return new RegistryError(
    'UNSUPPORTED',
    `${changed.join(' and ')} has been changed since: undoing would lose that. ${where === '' ? 'Take our lines out yourself' : `${where}: put it right yourself`}, and remove ${directory}`,
    { origin: 'operator' },
  );
}
