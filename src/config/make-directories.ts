import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory that the configuration names, with those above it. In a file system where none can be made (/proc),
 * Node's own way goes on for ever: there, a directory in one that exists is missing, too.
 * @throws Error of the system
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<void> {
  const above = dirname(path);
  try {
    await makeDirectory(path, mode);
  } catch (error) {
    if (!isMissing(error) || above === path) throw error;
    await makeDirectories(above, mode);
    await makeDirectory(path, mode);
  }
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (isMissing(error) || !(await isDirectory(path))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
