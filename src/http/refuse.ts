import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorBody } from './error-body.ts';
import type { ExchangeContext } from './exchange.ts';
import { loggedUrl } from './logged-url.ts';
import type { Peer } from './request.ts';

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** `Name: value` lines. */
  readonly headers?: readonly string[];
  /** As far as it is known. */
  readonly request?: { readonly method: string; readonly url: string };
}

/** Answers what could not be parsed as a request, and ends the connection: what follows on it can't be trusted. */
export function refuseUnparsed(
  context: ExchangeContext,
  peer: Peer,
  error: NodeJS.ErrnoException,
  stream: Duplex,
): void {
  if (!stream.writable) {
    stream.destroy();
    return;
  }
  refuse(context, peer, stream, refusalOf(error));
}

/** Who has connected, and then sent nothing, or not enough. */
export function refuseSilent(context: ExchangeContext, peer: Peer, stream: Duplex): void {
  refuse(context, peer, stream, tooLate);
}

/** There is no tunnel here, or none within another, or none for this peer. */
export function refuseConnect(context: ExchangeContext, peer: Peer, incoming: IncomingMessage, stream: Duplex): void {
  stream.on('error', () => stream.destroy());
  const request = { method: 'CONNECT', url: incoming.url ?? '' };
  const headers = ['Allow: GET, HEAD'];
  const no = { status: 405, code: 'UNSUPPORTED', message: noTunnel(peer), headers };
  refuse(context, peer, stream, { ...(peer.refusal ?? no), request });
}

function noTunnel({ via, within }: Peer): string {
  return via === undefined && within === undefined
    ? 'this server does not tunnel; use it as a registry mirror instead of as a proxy'
    : 'there is no tunnel within a tunnel, nor where a name led; connect to the proxy itself';
}

/** Answers and ends the connection. */
export function refuse(context: ExchangeContext, peer: Pick<Peer, 'address'>, stream: Duplex, refusal: Refusal): void {
  end(context, stream, refusal);
  logRefusal(context, peer, refusal);
}

const tooLate: Refusal = { status: 408, code: 'REQUEST_INVALID', message: 'the request took too long to arrive' };

function refusalOf(error: NodeJS.ErrnoException): Refusal {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, code: 'REQUEST_INVALID', message: 'the request line and headers are too large' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return tooLate;
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, code: 'REQUEST_INVALID', message: 'the extensions of a chunk are too large' };
    case 'HPE_INVALID_TRANSFER_ENCODING':
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return { status: 400, code: 'REQUEST_INVALID', message: 'the body is framed twice or not at all' };
    default:
      return { status: 400, code: 'REQUEST_INVALID', message: 'this is not an HTTP/1.1 request' };
  }
}

/** How long a refused client may take to read why, in milliseconds. */
const lingerMs = 2_000;

/**
 * Reads on for a moment, and cares for nothing that it reads: closing a socket with unread bytes in it would take the
 * answer back (RFC 9112, 9.6).
 */
function end({ clock }: ExchangeContext, stream: Duplex, refusal: Refusal): void {
  const extra = (refusal.headers ?? []).map((line) => `${line}\r\n`).join('');
  const body = errorBody({ code: refusal.code, message: refusal.message });
  const head =
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n${extra}Connection: close\r\n\r\n`;
  stream.end(Buffer.concat([Buffer.from(head), body]));
  stream.resume();
  const timer = clock.setTimer(lingerMs, () => stream.destroy());
  stream.once('close', () => timer.cancel());
}

/** The one line of the access log that a refusal leaves behind. */
export function logRefusal(context: ExchangeContext, peer: Pick<Peer, 'address'>, refusal: Refusal): void {
  const { method, url } = refusal.request ?? { method: '', url: '' };
  context.observer.emit({
    type: 'request.done',
    requestId: context.nextId(),
    method,
    url: loggedUrl(url, true),
    status: refusal.status,
    clientAddress: peer.address,
    userAgent: '',
    httpVersion: '',
    user: undefined,
    upstream: undefined,
    repository: undefined,
    reference: undefined,
    outcome: undefined,
    errorCode: 'REQUEST_INVALID',
    errorMessage: refusal.message,
    door: undefined,
    origin: 'client',
    bytes: 0,
    firstByteMs: 0,
    ms: 0,
    complete: true,
  });
}
