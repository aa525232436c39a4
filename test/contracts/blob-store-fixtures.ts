/** Stores to be tested, and content to put into them. */
import { digestOf } from '../../src/oci/digest.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Verified } from '../../src/bytes/assembly.ts';
import type { BlobReader, ByteSource } from '../../src/oci/blob.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { parseIngestName } from '../../src/store/blob-store.ts';
import type { BlobStore, IngestName } from '../../src/store/blob-store.ts';

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: BlobStore;
  /** The same content as another process sees it; the same store where content cannot be shared. */
  second(): Promise<BlobStore>;
  /** Where content can be reached behind the store's back. */
  readonly damage?: Damage;
}

export interface Damage {
  /** Cuts a committed blob to that many bytes. */
  truncate(digest: Digest, size: number): Promise<void>;
  remove(digest: Digest): Promise<void>;
  /** Puts things where the store looks that are none of its own. */
  litter(): Promise<void>;
}

export type MakeStore = () => Promise<StoreUnderTest>;

export const hello: Buffer = Buffer.from('hello, entrepot');

/** Only Assembly makes one of these outside tests; here the content is at hand. */
export function verified(content: Uint8Array, digest: Digest = digestOf(content)): Verified {
  return { digest, size: content.length } as Verified;
}

export function ingestName(text: string): IngestName {
  return parseIngestName(text);
}

export async function put(store: BlobStore, content: Uint8Array, name: string): Promise<BlobReader> {
  await using ingest = await store.ingest(ingestName(name), 'new');
  await ingest.write(content, 0);
  return await ingest.commit(verified(content));
}

export async function heldContent(store: BlobStore, digest: Digest): Promise<Buffer | undefined> {
  const blob = await store.find(digest);
  return blob && contentOf(blob);
}

export async function contentOf(blob: BlobReader): Promise<Buffer> {
  await using source = await blob.open({ verified: true });
  return await readFrom(source, 0);
}

/** To the end, in small steps. */
export async function readFrom(source: ByteSource, offset: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const buffer = Buffer.alloc(7_001);
  for (let position = offset; ;) {
    const length = await source.read(buffer, position);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(Buffer.from(buffer.subarray(0, length)));
    position += length;
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}

export function byDigest<T extends { readonly digest: Digest }>(items: readonly T[]): readonly T[] {
  return [...items].sort((one, other) => one.digest.localeCompare(other.digest));
}

export function isStoreFailure(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'UNAVAILABLE' && error.origin === 'store';
}
