import type { BlobReader, ByteSource } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { Verified } from '../bytes/assembly.ts';

/**
 * Where content rests. Knows digests, not repositories. What it holds is whole and verified: bytes come in through an
 * `Ingest`, and only `commit` makes them findable.
 *
 * Every driver passes `test/contracts/blob-store.ts`.
 */
export interface BlobStore extends AsyncDisposable {
  find(digest: Digest): Promise<BlobReader | undefined>;
  /**
   * Begins writing under a name that no other unfinished ingest has; with `resume`, goes on with what an ended process
   * left under it (`undefined` when nothing is there). Who resumes a name sees to it that nobody else does.
   */
  ingest(name: IngestName, mode: 'new'): Promise<Ingest>;
  ingest(name: IngestName, mode: 'resume'): Promise<Ingest | undefined>;
  /**
   * Opens another process's unfinished ingest for reading what it has written; `undefined` when there is none. 0 means
   * nothing there yet; what was skipped so far reads as zeros, so know your extents.
   */
  follow(name: IngestName): Promise<ByteSource | undefined>;
  /** True when it was there. Open readers keep their bytes. */
  delete(digest: Digest): Promise<boolean>;
  /** Everything committed, in no order. */
  list(): AsyncIterable<StoredBlob>;
  /** Names of unfinished ingests, of this and of other processes. */
  unfinished(): AsyncIterable<IngestName>;
  capacity(): Promise<Capacity>;
}

/** `[a-z0-9.-]`, at most 200 characters: it becomes a file name or an object key. */
export type IngestName = string & { readonly __ingestName: unique symbol };

/** Pushes have ingests as well as downloads, and each room sees to its own. */
export const uploadIngestPrefix = 'upload-';

export interface StoredBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}

export interface Capacity {
  /** Bytes that may still be written; `Infinity` where the store has no limit of its own. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/**
 * An unfinished write, invisible until `commit`, forgotten when disposed. Positions are bytes from the start of the
 * content; pieces may come in any order. What was written can be read back through it.
 */
export interface Ingest extends ByteSource {
  /** Writes all of `bytes`; they may be reused once it resolves. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /**
   * Makes the content findable, durably: file synced, renamed, directory synced (or the driver's equivalent).
   * Committing what is held already keeps what is held. Reading through the ingest stays possible meanwhile and
   * afterwards, until it is disposed: nobody who is being served waits for a disk.
   */
  commit(content: Verified): Promise<BlobReader>;
  /** Brings what was written to the disk early, so that `commit` has little left to wait for. */
  sync(): Promise<void>;
  /** Ends the ingest but leaves its bytes to be resumed by name. */
  suspend(): Promise<void>;
}

/** An extra power: what turned out to be damaged is moved aside for a look instead of deleted. */
export interface Quarantine {
  /** @param room `limited`: of many that are damaged only some are kept for a look, and the others deleted */
  quarantine(digest: Digest, room: 'limited' | 'unlimited'): Promise<void>;
}

export function canQuarantine(store: BlobStore): store is BlobStore & Quarantine {
  return 'quarantine' in store;
}

const ingestNameForm = /^[a-z0-9][a-z0-9.-]{0,199}$/;

/** @throws Error: names are made by us, so a bad one is our mistake */
export function parseIngestName(text: string): IngestName {
  if (isIngestName(text)) return text;
  throw new Error(`"${text.slice(0, 210)}" cannot name an ingest`);
}

export function isIngestName(text: string): text is IngestName {
  return ingestNameForm.test(text);
}
