import type { Digest, DigestAlgorithm } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { Descriptor } from './manifest.ts';

/**
 * The name of an upload: a random UUID (RFC 9562, 5.4), so that nobody can guess another's. Checked before it is ever
 * looked up, because part of a file's name follows from it.
 */
export type UploadId = string & { readonly __uploadId: unique symbol };

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** @throws RegistryError `BLOB_UPLOAD_UNKNOWN`: what no upload can be called is one that is not there */
export function parseUploadId(text: string): UploadId {
  if (isUploadId(text)) return text;
  throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'there is no such upload; start another one');
}

export function isUploadId(text: string): text is UploadId {
  return form.test(text);
}

/** Bytes that come one after the other, as fast as they are asked for. */
export interface ByteStream {
  /**
   * The next piece: of the size of the buffer that it asks for when there is something to put into it, or what is left;
   * `undefined` at the end, and then no buffer was asked for.
   * @throws RegistryError `REQUEST_INVALID` (origin `client`) when the sender broke off, after all that has come
   */
  fill<B extends Uint8Array>(lend: () => B): Promise<Filled<B> | undefined>;
}

export interface Filled<B extends Uint8Array> {
  readonly buffer: B;
  /** So many of its bytes, from its start; never 0. */
  readonly bytes: number;
}

export interface UploadStatus {
  readonly id: UploadId;
  /** In bytes. What was received will not have to be sent again. */
  readonly received: number;
}

/**
 * An unfinished blob of a repository, in the hands of one writer. Disposing it lets go of it: what was received stays,
 * to be gone on with by whoever resumes it.
 */
export interface Upload extends AsyncDisposable {
  readonly status: UploadStatus;
  /** Appends what the stream brings; when it breaks off, what has come is kept. */
  write(stream: ByteStream): Promise<void>;
  /**
   * Makes it a blob of the repository, durably. Ends the upload, also when it is refused.
   * @throws RegistryError `DIGEST_INVALID` when its bytes have another digest
   */
  commit(expected: Digest): Promise<Descriptor>;
  /** Forgets it. */
  cancel(): Promise<void>;
}

/** What an upload is hashed with as it arrives, unless its client says that it will ask for another one. */
export const uploadAlgorithm: DigestAlgorithm = 'sha256';
