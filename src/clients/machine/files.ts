import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { RegistryError } from '../../oci/errors.ts';
import type { MachineFiles } from '../plan.ts';

/** The files below a root directory, which is `/` for the machine itself. */
export class RootedFiles implements MachineFiles {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async read(path: string): Promise<string | undefined> {
    return (await this.bytes(path))?.toString('utf8');
  }

  async bytes(path: string): Promise<Buffer | undefined> {
    return await unlessAbsent(readFile(await this.real(path)));
  }

  async list(directory: string): Promise<readonly string[]> {
    return (await unlessAbsent(readdir(await this.real(directory))))?.toSorted() ?? [];
  }

  /** Written aside and renamed, so that nobody ever reads half of it; with the rights of what was there. */
  async write(path: string, content: Uint8Array): Promise<void> {
    const real = await this.real(path);
    const there = await unlessAbsent(stat(real));
    const aside = join(dirname(real), `.${basename(real)}.entrepot`);
    await writeFile(aside, content, { mode: 0o644, flush: true });
    if (there !== undefined) {
      await chmod(aside, there.mode & 0o7777);
      await chown(aside, there.uid, there.gid);
    }
    await rename(aside, real);
  }

  async remove(path: string): Promise<void> {
    await rm(await this.real(path), { force: true });
  }

  /** @returns the directories that were not there before, the outermost first */
  async makeDirectory(path: string): Promise<readonly string[]> {
    const made: string[] = [];
    for (let each = path; each !== '/' && !(await this.#exists(each)); each = dirname(each)) made.unshift(each);
    await mkdir(await this.real(path), { recursive: true, mode: 0o755 });
    return made;
  }

  async #exists(path: string): Promise<boolean> {
    return (await unlessAbsent(lstat(await this.real(path)))) !== undefined;
  }

  /** A directory that nothing is in; left alone where something is. */
  async removeEmpty(directory: string): Promise<void> {
    await rmdir(await this.real(directory)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
    });
  }

  /**
   * Where a file is, behind links.
   * @throws RegistryError when a link leads out of the root
   */
  async real(path: string): Promise<string> {
    const wanted = join(this.#root, path);
    const link = await unlessAbsent(lstat(wanted));
    if (link === undefined || !link.isSymbolicLink()) return wanted;
    const found = await unlessAbsent(realpath(wanted));
    const root = await realpath(this.#root);
    if (found !== undefined && !relative(root, found).startsWith('..')) return found;
    throw new RegistryError(
      'UNSUPPORTED',
      `${path} is a link that leads nowhere below ${this.#root}; replace it first`,
      {
        origin: 'operator',
      },
    );
  }
}

async function unlessAbsent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
