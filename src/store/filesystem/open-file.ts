import fs from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { storeFailure } from '../failure.ts';
import type { PromptReads } from './prompt-reads.ts';

/**
 * A file with positional reads and writes, any number at once. They go around the FileHandle's own methods, which cost
 * more objects a call; in return `close` waits for them, since the kernel gives a closed descriptor's number to the
 * next file that is opened, and a late read would find another file's bytes.
 */
export class OpenFile {
  readonly #handle: FileHandle;
  readonly #prompt: PromptReads;
  #running = 0;
  #closing = false;
  #idle: (() => void) | undefined;

  /** @throws the system's error, unchanged: whether a missing file matters is for the caller to say */
  static async open(path: string, flags: string | number, prompt: PromptReads): Promise<OpenFile> {
    return new OpenFile(await open(path, flags), prompt);
  }

  private constructor(handle: FileHandle, prompt: PromptReads) {
    this.#handle = handle;
    this.#prompt = prompt;
  }

  /** At least one byte, at most `length`; 0 at the end of the file. */
  async read(into: Uint8Array, length: number, position: number): Promise<number> {
    if (length === 0) return 0;
    this.#begin();
    try {
      return await read(this.#handle.fd, into, length, position);
    } catch (error) {
      throw storeFailure('reading from the store', error);
    } finally {
      this.#end();
    }
  }

  /** On this thread, at least one byte; `undefined` where others had better do it, see `PromptReads`. */
  readNow(into: Uint8Array, length: number, position: number): number | undefined {
    if (this.#closing || length <= 0) return undefined;
    return this.#prompt.read(this.#handle.fd, into, length, position);
  }

  /** All of `bytes`. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#begin();
    try {
      for (let done = 0; done < bytes.length;) {
        done += await write(this.#handle.fd, bytes, done, position + done);
      }
    } catch (error) {
      throw storeFailure('writing to the store', error);
    } finally {
      this.#end();
    }
  }

  /** In bytes. */
  size(): number {
    if (this.#closing) throw new Error('this file was closed');
    return fs.fstatSync(this.#handle.fd).size;
  }

  async truncate(size: number): Promise<void> {
    await this.#handle.truncate(size);
  }

  /** Resolves when what was written is on the disk, so that it is there after a power cut. */
  async sync(): Promise<void> {
    this.#begin();
    try {
      await this.#handle.datasync();
    } catch (error) {
      throw storeFailure('syncing a file of the store', error);
    } finally {
      this.#end();
    }
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#handle.close();
  }

  #begin(): void {
    if (this.#closing) throw new Error('this file was closed');
    this.#running += 1;
  }

  #end(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#idle?.();
  }
}

function read(descriptor: number, into: Uint8Array, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, into, 0, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

function write(descriptor: number, bytes: Uint8Array, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, bytes, offset, bytes.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(error),
    );
  });
}
