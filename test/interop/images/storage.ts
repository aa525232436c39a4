import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A blob that has been written: its digest, and its size in bytes. */
export interface StoredBlob {
  readonly digest: string;
  readonly size: number;
}

/**
 * The directory of one docker-registry, written the way docker-registry itself lays it out:
 *
 *     blobs/sha256/ab/<hex>/data
 *     repositories/<name>/_layers/sha256/<hex>/link
 *     repositories/<name>/_manifests/revisions/sha256/<hex>/link
 *     repositories/<name>/_manifests/tags/<tag>/current/link
 *     repositories/<name>/_manifests/tags/<tag>/index/sha256/<hex>/link
 */
export class RegistryStorage {
  readonly #root: string;

  constructor(directory: string) {
    this.#root = join(directory, 'docker/registry/v2');
  }

  async putBlob(content: Readable): Promise<StoredBlob> {
    const partial = join(this.#root, randomUUID());
    await mkdir(this.#root, { recursive: true });
    const measure = new Measure();
    await pipeline(content, measure, createWriteStream(partial));
    const path = this.#blobPath(measure.digest());
    await mkdir(dirname(path), { recursive: true });
    await rename(partial, path);
    return { digest: measure.digest(), size: measure.size };
  }

  async putBytes(content: Buffer): Promise<StoredBlob> {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    await write(this.#blobPath(digest), content);
    return { digest, size: content.length };
  }

  /** Takes a blob over from another storage on the same file system without copying it. */
  async shareBlob(from: RegistryStorage, digest: string): Promise<void> {
    const path = this.#blobPath(digest);
    await mkdir(dirname(path), { recursive: true });
    await link(from.#blobPath(digest), path);
  }

  async linkBlob(repository: string, digest: string): Promise<void> {
    await write(join(this.#repository(repository), '_layers', hexPath(digest), 'link'), digest);
  }

  async linkManifest(repository: string, digest: string, tag: string | undefined): Promise<void> {
    const manifests = join(this.#repository(repository), '_manifests');
    await write(join(manifests, 'revisions', hexPath(digest), 'link'), digest);
    if (tag === undefined) return;
    await write(join(manifests, 'tags', tag, 'current/link'), digest);
    await write(join(manifests, 'tags', tag, 'index', hexPath(digest), 'link'), digest);
  }

  #repository(name: string): string {
    return join(this.#root, 'repositories', name);
  }

  #blobPath(digest: string): string {
    const hex = digest.slice('sha256:'.length);
    return join(this.#root, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
  }
}

/** Passes bytes on, counted and hashed. */
export class Measure extends Transform {
  readonly #hash = createHash('sha256');
  #digest: string | undefined;
  size = 0;

  override _transform(chunk: Buffer, _encoding: string, done: (error: Error | null, chunk: Buffer) => void): void {
    this.#hash.update(chunk);
    this.size += chunk.length;
    done(null, chunk);
  }

  digest(): string {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    return this.#digest;
  }
}

function hexPath(digest: string): string {
  return digest.replace(':', '/');
}

async function write(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
