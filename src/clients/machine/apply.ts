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
  const changed = await changedSince(files, journal);
  if (changed.length > 0) {
    const { edits, notes } = await plan(files);
    if (edits.every(({ before, after }) => before === after)) return { written: [], notes };
    throw new RegistryError(
      'UNSUPPORTED',
      `${changed.join(' and ')} has been changed since this command wrote it; take our lines out of it, remove ${journalDirectory(runtime)}, and apply again`,
      { origin: 'operator' },
    );
  }
  const wanted = await plan(asBefore(files, journal));
  if (await isInForce(wanted, journal, files)) return { written: [], notes: wanted.notes };
  await undo(runtime, files);
  return await write(runtime, wanted, files);
}

async function isInForce({ edits }: Plan, journal: Journal, files: RootedFiles): Promise<boolean> {
  const changes = edits.filter(({ before, after }) => before !== after);
  if (changes.length !== journal.files.length) return false;
  for (const { path, after } of changes) if ((await files.read(path)) !== after) return false;
  return true;
}

async function write(runtime: string, { edits, notes }: Plan, files: RootedFiles): Promise<Applied> {
  const changes = edits.filter(({ before, after }) => before !== after);
  if (changes.length === 0) return { written: [], notes };
  const directory = journalDirectory(runtime);
  const made = await files.makeDirectory(directory);
  const journal: Journal = {
    made,
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
  return { written: changes.map(({ path }) => path), notes };
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
