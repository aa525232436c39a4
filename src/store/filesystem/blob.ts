import fs from 'node:fs';
import type { BlobReader, ByteSource } from '../../oci/blob.ts';
import { algorithmOf, digestOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { errorCode, storeFailure, storeLoss } from '../failure.ts';
import { OpenFile } from './open-file.ts';
import type { PromptReads } from './prompt-reads.ts';

const emptyDigests = { sha256: digestOf('', 'sha256'), sha512: digestOf('', 'sha512') };

/**
 * The blob whose content lies at `path`, or `undefined`. One `stat`, nothing remembered: the file system itself says
 * what exists. A file without content is what a crash or a full disk left behind, unless the digest is that of no bytes.
 */
export async function findBlob(path: string, digest: Digest, prompt: PromptReads): Promise<BlobReader | undefined> {
  return blobOf(path, digest, await fileSize(path), prompt);
}

/** The same, of one that was put there just now: the kernel knows it, and nothing is waited for. */
export function blobNow(path: string, digest: Digest, prompt: PromptReads): BlobReader | undefined {
  try {
    const found = fs.statSync(path, { throwIfNoEntry: false });
    return blobOf(path, digest, found?.isFile() === true ? found.size : undefined, prompt);
  } catch (error) {
    throw storeFailure('looking into the store', error);
  }
}

function blobOf(path: string, digest: Digest, size: number | undefined, prompt: PromptReads): BlobReader | undefined {
  if (size === undefined || (size === 0 && digest !== emptyDigests[algorithmOf(digest)])) return undefined;
  return { digest, size, open: () => openBlob(path, digest, size, prompt) };
}

/** Of a regular file, in bytes; `undefined` when there is none. */
export function fileSize(path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    fs.stat(path, (error, found) => {
      if (error === null) resolve(found.isFile() ? found.size : undefined);
      else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') resolve(undefined);
      else reject(storeFailure('looking into the store', error));
    });
  });
}

async function openBlob(path: string, digest: Digest, size: number, prompt: PromptReads): Promise<ByteSource> {
  try {
    return new BlobSource(await OpenFile.open(path, 'r', prompt), digest, size);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw storeFailure('opening a blob', error);
    throw storeLoss(`${digest} vanished from the store just now: ask again`, 'VANISHED', error);
  }
}

/** Ends at the size that was announced: neither before, silently, nor after. */
class BlobSource implements ByteSource {
  readonly #file: OpenFile;
  readonly #digest: Digest;
  readonly #size: number;

  constructor(file: OpenFile, digest: Digest, size: number) {
    this.#file = file;
    this.#digest = digest;
    this.#size = size;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const length = Math.min(into.length, this.#size - position);
    if (length <= 0) return 0;
    const count = await this.#file.read(into, length, position);
    if (count > 0) return count;
    throw storeLoss(
      `${this.#digest} in the store ends at or before byte ${position} of ${this.#size}: ask again, and check the disk if it repeats`,
      'TRUNCATED',
    );
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    return this.#file.readNow(into, Math.min(into.length, this.#size - position), position);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
