import type { BlobBody } from '../bytes/send.ts';
import type { RequestDone } from '../observe/events.ts';
import type { ByteStream } from '../oci/upload.ts';
import type { ClientCertificate } from './client-certificate.ts';
import type { PreparedHeaders } from './prepared-headers.ts';

export type { Slice } from '../bytes/send.ts';

/** A request as the rooms above see it: parsed as far as HTTP goes, no further. */
export interface Request {
  /** Unique in this process; in every log line and error message of this request. */
  readonly id: string;
  readonly method: string;
  /** The path and query exactly as sent, from the first `/` on. */
  readonly url: string;
  /** Names in lower case; repeated fields joined as RFC 9110, 5.3 says. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The host the client believes it talks to, with port; from X-Forwarded-* only where the sender is trusted. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  readonly clientAddress: string;
  /** `undefined` where a proxy or a unix socket hides it. */
  readonly clientPort: number | undefined;
  /** `undefined` unless the client has shown one, on its own connection to us, that is to be believed. */
  readonly clientCertificate: ClientCertificate | undefined;
  /** The registry that was named outside of path and query; `undefined` where the client means this server itself. */
  readonly via: Via | undefined;
  readonly body: RequestBody;
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** What the handlers learned about it, for the access log. */
  readonly notes: Notes;
}

/**
 * How a client that believes to talk to another registry comes here: through a tunnel to it (CONNECT), by a name that
 * leads here (TLS with its SNI, or plain HTTP with its Host), or with a request to a proxy (RFC 9112, 3.2.2).
 */
export interface Via {
  readonly kind: 'tunnel' | 'sni' | 'host' | 'absolute';
  /** The registry's name as the client has it; lower case, without the default port, where it is one at all. */
  readonly host: string;
  /** Who the client has proved to be, to this proxy itself. */
  readonly guest?: Guest | undefined;
}

/** One of this server's own users, as its proxy knows him. */
export interface Guest {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Read once, by whoever wants it. What nobody has read when the answer goes out is thrown away. */
export interface RequestBody extends ByteStream {
  /** As announced, in bytes; `undefined` when it ends where it ends (RFC 9112, 7.1). */
  readonly length: number | undefined;
  /** What has come, never empty; `undefined` at the end. Throws as `fill` does. */
  read(): Promise<Uint8Array | undefined>;
  /** All of it; `undefined` when it is larger than that. */
  whole(bytesMax: number): Promise<Uint8Array | undefined>;
}

/** The fields of the access log that only a handler knows. */
export type Notes = {
  -readonly [
    K in 'user' | 'upstream' | 'repository' | 'reference' | 'outcome' | 'errorCode' | 'errorMessage' | 'origin' | 'door'
  ]: RequestDone[K];
};

/** `headers` carry Content-Length where there is a body or where HEAD tells of one. The body of an answer to HEAD is not sent. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** More of them. */
  readonly prepared?: PreparedHeaders;
  /** Names that may stand several times. */
  readonly repeated?: readonly (readonly [name: string, value: string])[];
  readonly body: ReplyBody;
}

/**
 * The chunks of a `stream` are sent as they come, and asked for no faster than the client reads. It is cancelled where they
 * are not read to the end.
 */
export type ReplyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<string | Uint8Array>; readonly cancel?: () => void }
  | BlobReplyBody;

/** Its source now belongs to whoever sends the reply. */
export interface BlobReplyBody extends BlobBody {
  readonly kind: 'blob';
  /** What to answer instead when the source fails before anything has been sent. */
  refuse(error: unknown): Reply;
}

/** Answers at once where there is nothing to wait for. */
export type Handler = (request: Request) => Reply | Promise<Reply>;

/** What everybody may have, also who is refused everything else; `undefined` for all other requests. */
export type Lobby = (request: Request) => Reply | undefined;
