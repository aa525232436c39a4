import { constants } from 'node:fs';
import { isOfPages, pageBytes } from '../../bytes/page-memory.ts';
import { RegistryError, systemCodeOf } from '../../oci/errors.ts';
import { errorCode } from '../failure.ts';
import { OpenFile } from './open-file.ts';
import type { PromptReads } from './prompt-reads.ts';

/** With less, going through the kernel's memory costs hardly more, and whoever pulls it next finds it there. In bytes. */
const directBytesMin = 256 * 1024;

/** Whether the file system of a store takes direct writes at all: some say at the opening that they do not, some at a write. */
export class DirectWrites {
  #refused = constants.O_DIRECT === undefined;

  get refused(): boolean {
    return this.#refused;
  }

  refuse(): void {
    this.#refused = true;
  }
}

/**
 * A file once more, for large pieces that go to the disk without a copy in the kernel's memory: what is pushed by the gigabyte
 * would drive out of there what is pulled all day, and to fill its pages costs more than everything else that an upload
 * does. Opened with the first such piece.
 */
export class DirectFile {
  readonly #path: string;
  readonly #direct: DirectWrites;
  readonly #prompt: PromptReads;
  #opening: Promise<OpenFile | undefined> | undefined;

  constructor(path: string, direct: DirectWrites, prompt: PromptReads) {
    this.#path = path;
    this.#direct = direct;
    this.#prompt = prompt;
  }

  /** False when it is to be written the other way, all of it. */
  async write(bytes: Uint8Array, position: number): Promise<boolean> {
    if (this.#direct.refused || bytes.length < directBytesMin) return false;
    if (position % pageBytes !== 0 || !isOfPages(bytes)) return false;
    this.#opening ??= this.#open();
    const file = await this.#opening;
    if (file === undefined) return false;
    try {
      await file.write(bytes, position);
      return true;
    } catch (error) {
      if (!(error instanceof RegistryError) || systemCodeOf(error) !== 'EINVAL') throw error;
      this.#direct.refuse();
      return false;
    }
  }

  async close(): Promise<void> {
    await (await this.#opening)?.close();
  }

  /** Whatever is wrong with it, the file is open already, and can be written to. */
  async #open(): Promise<OpenFile | undefined> {
    try {
      return await OpenFile.open(this.#path, constants.O_WRONLY | constants.O_DIRECT, this.#prompt);
    } catch (error) {
      if (errorCode(error) === 'EINVAL') this.#direct.refuse();
      return undefined;
    }
  }
}
