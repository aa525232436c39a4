import { access, constants, opendir, readdir, rename, rmdir, statfs, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemClock } from '../../observe/clock.ts';
import type { BlobReader, ByteSource } from '../../oci/blob.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Link } from '../../oci/link.ts';
import type { RepositoryName } from '../../oci/reference.ts';
import { isIngestName } from '../blob-store.ts';
import type { BlobStore, Capacity, Ingest, IngestName, Quarantine, StoredBlob } from '../blob-store.ts';
import { errorCode, storeFailure } from '../failure.ts';
import type { LinkPlace, LinkTree, RepositoryLinks, Told } from '../link-tree.ts';
import { findBlob } from './blob.ts';
import { DirectWrites } from './direct-file.ts';
import { Directories } from './directories.ts';
import { followIngest, resumeIngest, startIngest } from './ingest.ts';
import type { Yard } from './ingest.ts';
import { algorithmPath, algorithms, blobDirectory, dataPath, digestAt, layoutOf, repositoriesPath } from './layout.ts';
import type { Layout } from './layout.ts';
import { PromptReads, readWatch } from './prompt-reads.ts';
import type { ReadWatch } from './prompt-reads.ts';
import { fingerprintOf, linkedRepositories, readLinkOf, readLinksOf } from './links-read.ts';
import { writeLinks } from './links-write.ts';
import { noneIfMissing, restingDigests } from './resting.ts';

export interface FilesystemStoreOptions {
  /** `storage.filesystem.rootdirectory`; made when it is missing. */
  readonly root: string;
  readonly watch?: ReadWatch;
}

/**
 * Blobs as files, in the layout of `registry:2` (`layout.ts` draws it). Any number of processes may share a root.
 * @throws RegistryError `UNAVAILABLE` (origin `store`) when nothing can be written below the root
 */
export async function openFilesystemStore(options: FilesystemStoreOptions): Promise<BlobStore & Quarantine & LinkTree> {
  const layout = layoutOf(resolve(options.root));
  const directories = new Directories();
  try {
    await directories.ensure(layout.root);
    await directories.ensure(layout.ingests, 0o700);
    await access(layout.ingests, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw storeFailure(`opening the store below ${layout.root}`, error);
  }
  const prompt = new PromptReads(options.watch ?? readWatch(systemClock));
  return new FilesystemStore({ layout, directories, prompt, direct: new DirectWrites() });
}

/** Damaged blobs that are kept for a look where room is limited. */
const quarantinedMax = 16;
/** Files that are looked at together while listing. */
const listBatch = 32;

class FilesystemStore implements BlobStore, Quarantine, LinkTree {
  readonly #yard: Yard;
  readonly #layout: Layout;

  constructor(yard: Yard) {
    this.#yard = yard;
    this.#layout = yard.layout;
  }

  find(digest: Digest): Promise<BlobReader | undefined> {
    return findBlob(dataPath(this.#layout, digest), digest, this.#yard.prompt);
  }

  ingest(name: IngestName, mode: 'new'): Promise<Ingest>;
  ingest(name: IngestName, mode: 'resume'): Promise<Ingest | undefined>;
  ingest(name: IngestName, mode: 'new' | 'resume'): Promise<Ingest | undefined> {
    return mode === 'new' ? startIngest(this.#yard, name) : resumeIngest(this.#yard, name);
  }

  follow(name: IngestName): Promise<ByteSource | undefined> {
    return followIngest(this.#yard, name);
  }

  async delete(digest: Digest): Promise<boolean> {
    try {
      await unlink(dataPath(this.#layout, digest));
      await rmdir(blobDirectory(this.#layout, digest)).catch(() => {}); // in use again, or already gone: both are fine
      return true;
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return false;
      throw storeFailure(`deleting ${digest}`, error);
    }
  }

  async quarantine(digest: Digest, room: 'limited' | 'unlimited'): Promise<void> {
    try {
      await this.#yard.directories.within(this.#layout.quarantine, 0o700, () => this.#putAside(digest, room));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw storeFailure(`quarantining ${digest}`, error);
    }
    await this.delete(digest);
  }

  async *list(): AsyncIterable<StoredBlob> {
    for (const algorithm of algorithms) {
      const top = algorithmPath(this.#layout, algorithm);
      for await (const prefix of names(top)) {
        if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
        let batch: Digest[] = [];
        for await (const name of names(`${top}/${prefix}`)) {
          const digest = digestAt(algorithm, prefix, name);
          if (digest !== undefined) batch.push(digest);
          if (batch.length < listBatch) continue;
          yield* await this.#sizes(batch);
          batch = [];
        }
        yield* await this.#sizes(batch);
      }
    }
  }

  async *unfinished(): AsyncIterable<IngestName> {
    for (const name of await readdir(this.#layout.ingests).catch(noneIfMissing)) {
      if (isIngestName(name)) yield name;
    }
  }

  async capacity(): Promise<Capacity> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#layout.root);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      throw storeFailure('asking for the free space of the store', error);
    }
  }

  writeLinks(links: readonly Link[]): Promise<void> {
    return writeLinks(this.#yard, links);
  }

  async hasLinks(): Promise<boolean> {
    return access(repositoriesPath(this.#layout)).then(
      () => true,
      (error: unknown) => noneIfMissing(error).length > 0,
    );
  }

  linkedRepositories(told: Told): AsyncIterable<RepositoryName> {
    return linkedRepositories(this.#layout, told);
  }

  fingerprint(repository: RepositoryName): Promise<string | undefined> {
    return fingerprintOf(this.#layout, repository);
  }

  readLinks(repository: RepositoryName, told: Told): Promise<RepositoryLinks> {
    return readLinksOf(this.#layout, repository, told);
  }

  readLink(repository: RepositoryName, place: LinkPlace): Promise<Digest | undefined> {
    return readLinkOf(this.#layout, repository, place);
  }

  restingDigests(): AsyncIterable<readonly Digest[]> {
    return restingDigests(this.#layout);
  }

  /** Nothing is held open between calls: blobs and ingests have owners of their own. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #putAside(digest: Digest, room: 'limited' | 'unlimited'): Promise<void> {
    const { quarantine } = this.#layout;
    if (room === 'limited' && (await readdir(quarantine)).length >= quarantinedMax) return;
    await rename(dataPath(this.#layout, digest), `${quarantine}/${digest.replace(':', '-')}`);
  }

  async #sizes(digests: readonly Digest[]): Promise<readonly StoredBlob[]> {
    const blobs = await Promise.all(digests.map((digest) => this.find(digest)));
    return blobs.filter((blob) => blob !== undefined).map(({ digest, size }) => ({ digest, size }));
  }
}

/** The names in a directory, read as they are asked for; none when it is missing or no directory. */
async function* names(path: string): AsyncIterable<string> {
  try {
    for await (const entry of await opendir(path)) yield entry.name;
  } catch (error) {
    noneIfMissing(error);
  }
}
