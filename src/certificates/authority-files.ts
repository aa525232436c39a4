import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, RegistryError } from '../oci/errors.ts';

/**
 * The directory of an authority of our own:
 *
 *     1.pem     certificate and key of the first, in one file: whoever finds one finds both
 *     2.pem     its successor
 *
 * A file is written aside and then given its number, which fails when another process was there before: all of them end
 * up with the same one.
 */
export class AuthorityFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** In the order in which they were made. */
  async read(): Promise<readonly NumberedFile[]> {
    const numbers = await this.#numbers();
    return await Promise.all(numbers.map((number) => this.#readOne(number)));
  }

  /** @returns false when there is one of that number already */
  async add(number: number, text: string): Promise<boolean> {
    const aside = join(this.#directory, `.${number}.${randomBytes(8).toString('hex')}`);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeDurably(aside, text);
      return await this.#publish(aside, join(this.#directory, fileName(number)));
    } catch (cause) {
      throw failure('written', this.#directory, cause);
    } finally {
      await rm(aside, { force: true });
    }
  }

  async #publish(aside: string, path: string): Promise<boolean> {
    try {
      await link(aside, path);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      // Some file systems know no links. Two first starts at the same moment are not safe there.
      await rename(aside, path);
    }
    await using directory = await open(this.#directory, 'r');
    await directory.sync().catch(() => undefined);
    return true;
  }

  async #numbers(): Promise<readonly number[]> {
    try {
      const names = await readdir(this.#directory);
      const numbers = names.map((name) => Number(/^(\d{1,6})\.pem$/.exec(name)?.[1] ?? Number.NaN));
      return numbers.filter((number) => !Number.isNaN(number)).toSorted((a, b) => a - b);
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw failure('read', this.#directory, cause);
    }
  }

  async #readOne(number: number): Promise<NumberedFile> {
    const path = join(this.#directory, fileName(number));
    try {
      return { number, path, text: await readFile(path, 'utf8') };
    } catch (cause) {
      throw failure('read', path, cause);
    }
  }
}

export interface NumberedFile {
  readonly number: number;
  readonly path: string;
  readonly text: string;
}

function fileName(number: number): string {
  return `${number}.pem`;
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function failure(done: string, path: string, cause: unknown): RegistryError {
  const why = messageOf(cause);
  const message = `the certificate authority cannot be ${done} (${why}); give the user that runs entrepot access to ${path}`;
  return new RegistryError('UNAVAILABLE', message, { origin: 'operator', cause });
}
