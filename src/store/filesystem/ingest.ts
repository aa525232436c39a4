import { rename, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Verified } from '../../bytes/assembly.ts';
import type { BlobReader, ByteSource } from '../../oci/blob.ts';
import type { Ingest, IngestName } from '../blob-store.ts';
import { errorCode, storeFailure, storeLoss } from '../failure.ts';
import { blobNow, fileSize } from './blob.ts';
import { DirectFile } from './direct-file.ts';
import type { DirectWrites } from './direct-file.ts';
import { makeDirectory, syncDirectory } from './directories.ts';
import type { Directories } from './directories.ts';
import { blobDirectory, dataPath, ingestPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { OpenFile } from './open-file.ts';
import type { PromptReads } from './prompt-reads.ts';

const renameAttemptsMax = 10;

/** Where ingests are made, and what they need to become blobs. */
export interface Yard {
  readonly layout: Layout;
  readonly directories: Directories;
  readonly prompt: PromptReads;
  readonly direct: DirectWrites;
}

export async function startIngest(yard: Yard, name: IngestName): Promise<Ingest> {
  const path = ingestPath(yard.layout, name);
  try {
    const begin = (): Promise<OpenFile> => OpenFile.open(path, 'wx+', yard.prompt);
    return new FileIngest(yard, path, await yard.directories.within(yard.layout.ingests, 0o700, begin));
  } catch (error) {
    throw storeFailure('beginning an ingest', error);
  }
}

export async function resumeIngest(yard: Yard, name: IngestName): Promise<Ingest | undefined> {
  const path = ingestPath(yard.layout, name);
  const file = await openIfThere(path, 'r+', yard.prompt);
  return file === undefined ? undefined : new FileIngest(yard, path, file);
}

export async function followIngest({ layout, prompt }: Yard, name: IngestName): Promise<ByteSource | undefined> {
  const file = await openIfThere(ingestPath(layout, name), 'r', prompt);
  if (file === undefined) return undefined;
  return {
    read: (into, position) => file.read(into, into.length, position),
    readNow: (into, position) => file.readNow(into, into.length, position),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function openIfThere(path: string, flags: string, prompt: PromptReads): Promise<OpenFile | undefined> {
  try {
    return await OpenFile.open(path, flags, prompt);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw storeFailure('opening an ingest', error);
  }
}

/**
 * A file below `entrepot/ingest`. It leaves there in one of three ways: renamed (`commit`), left behind (`suspend`), or
 * deleted (disposed before either, also after a `commit` that failed: what a failed sync left on the disk is unknown).
 */
class FileIngest implements Ingest {
  readonly #yard: Yard;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #direct: DirectFile;
  /** Nothing of ours lies under its name any more, or what lies there is meant to stay. */
  #moved = false;

  constructor(yard: Yard, path: string, file: OpenFile) {
    this.#yard = yard;
    this.#path = path;
    this.#file = file;
    this.#direct = new DirectFile(path, yard.direct, yard.prompt);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#moved) throw new Error('this ingest has ended');
    if (!(await this.#direct.write(bytes, position))) await this.#file.write(bytes, position);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.#file.read(into, into.length, position);
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    return this.#file.readNow(into, into.length, position);
  }

  async commit(content: Verified): Promise<BlobReader> {
    const path = dataPath(this.#yard.layout, content.digest);
    try {
      await this.#settle(content);
      if (!(await this.#publish(content, path))) await rm(this.#path, { force: true });
    } catch (error) {
      throw storeFailure(`committing ${content.digest}`, error);
    }
    this.#moved = true;
    const blob = blobNow(path, content.digest, this.#yard.prompt);
    if (blob === undefined) throw storeLoss(`${content.digest} vanished as it was stored: ask again`, 'VANISHED');
    return blob;
  }

  async sync(): Promise<void> {
    await this.#file.sync();
  }

  async suspend(): Promise<void> {
    this.#moved = true;
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    if (this.#moved) return;
    this.#moved = true;
    await rm(this.#path, { force: true }).catch((error: unknown) => {
      throw storeFailure('discarding an ingest', error);
    });
  }

  async #close(): Promise<void> {
    try {
      await this.#direct.close();
    } finally {
      await this.#file.close();
    }
  }

  /** A resumed ingest may have more bytes than the content turned out to have; fewer would be a blob with a hole. */
  async #settle(content: Verified): Promise<void> {
    const size = this.#file.size();
    if (size > content.size) await this.#file.truncate(content.size);
    if (size >= content.size) return;
    throw storeLoss(
      `an ingest of ${content.digest} has ${size} bytes on disk, not ${content.size}: ask again`,
      'TRUNCATED',
    );
  }

  /** False when the same content is there already. */
  async #publish({ digest, size }: Verified, path: string): Promise<boolean> {
    const own = blobDirectory(this.#yard.layout, digest);
    for (let attempt = 1; ; attempt += 1) {
      const made = await this.#yard.directories.within(dirname(own), undefined, () => makeDirectory(own));
      if (!made && (await fileSize(path)) === size) return false;
      await this.#syncWith(own, made);
      if (!(await this.#rename(path, attempt))) continue;
      await syncDirectory(own).catch((error: unknown) => {
        if (errorCode(error) !== 'ENOENT') throw error; // deleted again already: there is nothing left to be durable
      });
      return true;
    }
  }

  /** False when a delete of an older file has removed the directory: then once more. */
  async #rename(path: string, attempt: number): Promise<boolean> {
    try {
      await rename(this.#path, path);
      return true;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || attempt === renameAttemptsMax) throw error;
      return false;
    }
  }

  /** The data, and the name of a directory that was made for it: one sync of the disk has both, mostly. */
  async #syncWith(own: string, made: boolean): Promise<void> {
    try {
      await Promise.all([this.#file.sync(), made ? syncDirectory(dirname(own)) : undefined]);
    } catch (error) {
      if (made) await rmdir(own).catch(() => {});
      throw error;
    }
  }
}
