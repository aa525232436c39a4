/**
 * An answer of the upstream before it is sent: what the registry wants to say, which a fault may still change.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Content } from './blobs.ts';
import { literalBlob } from './blobs.ts';
import type { Entry } from './upstream-ledger.ts';
import type { Listener } from './upstream-listener.ts';

/** One request on its way through the upstream. */
export interface Exchange {
  readonly entry: Entry;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly listener: Listener;
  /** Resolves when the exchange is over, however it ended. */
  readonly over: Promise<void>;
}

export interface Reply {
  status: number;
  /** Names in lower case. Content-Length, Content-Range and ETag follow from the fields below. */
  headers: Record<string, string>;
  content: Content | undefined;
  /** Whether Range is honoured for this content. */
  ranges: boolean;
  etag: string | undefined;
  chunked: boolean;
  /** Answers a range with bytes from this offset instead of those asked for. */
  rangeStart: number | undefined;
  /** Offsets of the content whose byte is sent with its bits flipped. */
  corrupt: number[];
  /** What happens when the body has come to an offset of the content. */
  stops: Stop[];
  bytesPerSecond: number | undefined;
}

export interface Stop {
  readonly at: number;
  /** False ends the exchange. All bytes before `at` have left the process when this runs. */
  readonly run: (exchange: Exchange) => Promise<boolean>;
}

/** Bytes with a media type: the answer to most questions. */
export function reply(status: number, content?: Content, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers,
    content,
    ranges: false,
    etag: undefined,
    chunked: false,
    rangeStart: undefined,
    corrupt: [],
    stops: [],
    bytesPerSecond: undefined,
  };
}

export function jsonReply(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return reply(status, literalBlob(JSON.stringify(value)), { 'content-type': 'application/json', ...headers });
}

/** The error body of the distribution specification. */
export function refusal(status: number, code: string, headers: Record<string, string> = {}): Reply {
  return jsonReply(status, { errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }, headers);
}

/** The part of the content that the request asks for, and how to say so. RFC 9110, sections 13.1.5 and 14.2. */
export function resolveRange(
  exchange: Exchange,
  { content, ranges, etag }: Reply,
): { readonly status: 200 | 206 | 416; readonly start: number; readonly end: number } {
  const size = content?.size ?? 0;
  const whole = { status: 200, start: 0, end: size } as const;
  const { range, 'if-range': condition } = exchange.request.headers;
  const parsed = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (!ranges || !parsed || parsed[0] === 'bytes=-' || (condition !== undefined && condition !== etag)) return whole;
  const [, first = '', last = ''] = parsed;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start >= size) return { status: 416, start: 0, end: 0 };
  // A last byte before the first makes the header invalid, and an invalid header is ignored.
  return end <= start ? whole : { status: 206, start, end };
}
