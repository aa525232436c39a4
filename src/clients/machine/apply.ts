import { dirname } from 'node:path';
import { RegistryError } from '../../oci/errors.ts';
import type { Edit, MachineFiles, Plan } from '../plan.ts';
import type { RootedFiles } from './files.ts';
import { asBefore, changedSince, copyWhole, journalDirectory, journalText, readJournal, sumOf } from './journal.ts';
import type { Journal } from './journal.ts';
import { undo } from './undo.ts';

export interface Applied {
  /** Paths of what was written; empty where all of it was there already. */
  readonly written: readonly string[];
  /** For it to count: to be run now, or, where nothing was written, if they have not been since it was. */
  readonly commands: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Writes what a plan says to a machine, and how to undo it before that. A second time changes nothing; with another plan, the
 * machine is as if that one had been the first.
 * @throws RegistryError when the plan cannot be made, or would overwrite what somebody has changed since
 */
export async function apply(
  runtime: string,
  plan: (machine: MachineFiles) => Promise<Plan>,
  files: RootedFiles,
): Promise<Applied> {
  const journal = await readJournal(files, runtime);
  if (journal === undefined) return await write(runtime, await plan(files), files);
  // What was there before may be what cannot be merged with what is there now.
  const more = await plan(files).catch((error: unknown) => {
    if (!(error instanceof RegistryError)) throw error;
  });
  if (more !== undefined && isInForce(more)) return { written: [], commands: more.commands, notes: more.notes };
  const changed = await changedSince(files, journal);
  if (changed.length > 0) {
    throw new RegistryError(
      'UNSUPPORTED',
      `${changed.join(' and ')} has been changed since this command wrote it; take our lines out of it, remove ${journalDirectory(runtime)}, and apply again`,
      { origin: 'operator' },
    );
  }
  const wanted = await plan(asBefore(files, journal));
  await undo(runtime, files);
  return await write(runtime, wanted, files);
}

function isInForce({ edits }: Plan): boolean {
  return edits.every(({ before, after }) => before === after);
}

async function write(runtime: string, { edits, commands, notes }: Plan, files: RootedFiles): Promise<Applied> {
  const changes = edits.filter(({ before, after }) => before !== after);
  if (changes.length === 0) return { written: [], commands, notes };
  const directory = journalDirectory(runtime);
  const made = await files.makeDirectory(directory);
  const journal: Journal = {
    made,
    commands,
    files: await Promise.all(changes.map((edit, index) => entryOf(edit, directory, index, files))),
  };
  for (const { path, copy, before } of journal.files) if (before !== undefined) await copyWhole(files, path, copy);
  const missing = new Set(made);
  for (const { path } of changes) {
    for (const each of await files.makeDirectory(dirname(path))) missing.add(each);
    // What was made so far, before anything is put there.
    await files.write(`${directory}/journal`, Buffer.from(journalText({ ...journal, made: [...missing] })));
  }
  for (const { path, after } of changes) await files.write(path, Buffer.from(after));
  return { written: changes.map(({ path }) => path), commands, notes };
}

async function entryOf({ path, after }: Edit, directory: string, index: number, files: RootedFiles) {
  const bytes = await files.bytes(path);
  return {
    path,
    copy: `${directory}/${index + 1}`,
    after: sumOf(Buffer.from(after)),
    before: bytes && sumOf(bytes),
  };
}
