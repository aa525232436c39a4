import type { ClientConfig } from './client-config.ts';

/** The files of a client machine as they are. Paths are absolute, and as the machine itself calls them. */
export interface MachineFiles {
  /** `undefined` where there is none. */
  read(path: string): Promise<string | undefined>;
  /** The names in a directory, sorted; empty where there is none. */
  list(directory: string): Promise<readonly string[]>;
}

/** What is to be written, decided before anything is. */
export interface Plan {
  /** Also of those that need no change. */
  readonly edits: readonly Edit[];
  /** For them to count, and again once they are undone. */
  readonly commands: readonly string[];
  readonly notes: readonly string[];
}

export interface Edit {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string;
}

/** For files that do not depend on one another. */
export async function planOf(
  { files, commands }: Pick<ClientConfig, 'files' | 'commands'>,
  machine: MachineFiles,
): Promise<Plan> {
  const edits: Edit[] = [];
  for (const { path, content, into } of files) {
    const before = await machine.read(path);
    edits.push({ path, before, after: before === undefined || into === undefined ? content : into(before) });
  }
  return { edits, commands, notes: [] };
}
