import type { Verified } from '../../bytes/assembly.ts';
import type { BlobReader, ByteSource } from '../../oci/blob.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { BlobStore, Capacity, Ingest, IngestName, StoredBlob } from '../blob-store.ts';
import { storeLoss } from '../failure.ts';
import { Pages } from './pages.ts';
import type { Budget } from './pages.ts';

export interface MemoryStoreOptions {
  /** What blobs and unfinished ingests may take together, in bytes, counted in pages of 64 KiB. */
  readonly bytesMax: number;
}

/** `storage: inmemory`: blobs that last as long as the process. */
export function createMemoryStore(options: MemoryStoreOptions): BlobStore {
  return new MemoryStore(options.bytesMax);
}

class MemoryStore implements BlobStore {
  readonly #shelf: Shelf;

  constructor(bytesMax: number) {
    this.#shelf = { blobs: new Map(), ingests: new Map(), budget: { usedBytes: 0, bytesMax } };
  }

  async find(digest: Digest): Promise<BlobReader | undefined> {
    const pages = this.#shelf.blobs.get(digest);
    return pages && blobOf(digest, pages);
  }

  ingest(name: IngestName, mode: 'new'): Promise<Ingest>;
  ingest(name: IngestName, mode: 'resume'): Promise<Ingest | undefined>;
  async ingest(name: IngestName, mode: 'new' | 'resume'): Promise<Ingest | undefined> {
    const { ingests, budget } = this.#shelf;
    const found = ingests.get(name);
    if (mode === 'resume') return found && new MemoryIngest(this.#shelf, name, found);
    if (found !== undefined) throw taken(name);
    const pages = new Pages(budget);
    ingests.set(name, pages);
    return new MemoryIngest(this.#shelf, name, pages);
  }

  async follow(name: IngestName): Promise<ByteSource | undefined> {
    const pages = this.#shelf.ingests.get(name);
    return pages && sourceOf(pages);
  }

  async delete(digest: Digest): Promise<boolean> {
    this.#shelf.blobs.get(digest)?.release();
    return this.#shelf.blobs.delete(digest);
  }

  async *list(): AsyncIterable<StoredBlob> {
    for (const [digest, { size }] of this.#shelf.blobs) yield { digest, size };
  }

  async *unfinished(): AsyncIterable<IngestName> {
    yield* this.#shelf.ingests.keys();
  }

  async capacity(): Promise<Capacity> {
    const { usedBytes, bytesMax } = this.#shelf.budget;
    return { freeBytes: bytesMax - usedBytes, totalBytes: bytesMax };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shelf.blobs.clear();
    this.#shelf.ingests.clear();
  }
}

interface Shelf {
  readonly blobs: Map<Digest, Pages>;
  readonly ingests: Map<IngestName, Pages>;
  readonly budget: Budget;
}

class MemoryIngest implements Ingest {
  readonly #shelf: Shelf;
  readonly #name: IngestName;
  readonly #pages: Pages;
  #state: 'open' | 'committed' | 'closed' = 'open';

  constructor(shelf: Shelf, name: IngestName, pages: Pages) {
    this.#shelf = shelf;
    this.#name = name;
    this.#pages = pages;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#state !== 'open') throw new Error('this ingest has ended');
    this.#pages.write(bytes, position);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (this.#state === 'closed') throw new Error('this ingest was disposed');
    return this.#pages.read(into, position);
  }

  async commit(content: Verified): Promise<BlobReader> {
    const { digest, size } = content;
    if (this.#pages.size < size) {
      throw storeLoss(`an ingest of ${digest} has ${this.#pages.size} bytes, not ${size}: ask again`, 'TRUNCATED');
    }
    this.#state = 'committed';
    this.#shelf.ingests.delete(this.#name);
    const held = this.#shelf.blobs.get(digest);
    if (held === undefined) {
      this.#pages.truncate(size);
      this.#shelf.blobs.set(digest, this.#pages);
    } else {
      this.#pages.release();
    }
    return blobOf(digest, held ?? this.#pages);
  }

  async sync(): Promise<void> {}

  async suspend(): Promise<void> {
    this.#state = 'closed';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'open') {
      this.#shelf.ingests.delete(this.#name);
      this.#pages.release();
    }
    this.#state = 'closed';
  }
}

function blobOf(digest: Digest, pages: Pages): BlobReader {
  return { digest, size: pages.size, open: async () => sourceOf(pages) };
}

function sourceOf(pages: Pages): ByteSource {
  return {
    read: async (into, position) => pages.read(into, position),
    readNow: (into, position) => pages.read(into, position) || undefined,
    [Symbol.asyncDispose]: async () => {},
  };
}

function taken(name: IngestName): RegistryError {
  const why = `an ingest called ${name} is there already: resume it, or choose another name`;
  return new RegistryError('UNAVAILABLE', why, { origin: 'store', detail: { code: 'EEXIST' } });
}
