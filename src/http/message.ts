import type { BlobReader } from '../oci/blob.ts';
import type { RequestDone } from '../observe/events.ts';

/** A request as the rooms above see it: parsed as far as HTTP goes, no further. */
export interface Request {
  /** Unique in this process; in every log line and error message of this request. */
  readonly id: string;
  readonly method: string;
  /** The path and query exactly as sent. */
  readonly url: string;
  /** Names in lower case; repeated fields joined as RFC 9110, 5.3 says. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The host the client believes it talks to, with port; from X-Forwarded-* only where the sender is trusted. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  readonly clientAddress: string;
  /** What the handlers learned about it, for the access log. */
  readonly notes: Notes;
}

/** The fields of the access log that only a handler knows. */
export type Notes = {
  -readonly [K in 'upstream' | 'repository' | 'reference' | 'outcome' | 'errorCode' | 'errorMessage' | 'origin']: RequestDone[K];
};

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ReplyBody;
}

/**
 * `slices` of one blob in the order given, each preceded by its `prefix` (multipart/byteranges); `tail` ends the body.
 * `stream` has no length known before: its chunks are sent as they come, and asked for no faster than the client reads.
 */
export type ReplyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<string> }
  | { readonly kind: 'blob'; readonly blob: BlobReader; readonly slices: readonly Slice[]; readonly tail: string };

/** Positions in bytes; `end` is one past the last. `verified` holds back its end until the digest is known to be right. */
export interface Slice {
  readonly prefix: string;
  readonly start: number;
  readonly end: number;
  readonly verified: boolean;
}

export type Handler = (request: Request) => Promise<Reply>;
