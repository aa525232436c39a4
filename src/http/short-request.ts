import type { RequestHead } from './request.ts';

/** Header fields of a client, as they came and as they are read: most clients send the same with every request. */
export interface Fields {
  readonly text: string;
  readonly headers: RequestHead['headers'];
}

export interface ShortRequest {
  readonly head: RequestHead;
  readonly fields: Fields;
}

/** Larger ones are rare. In bytes. */
const shortBytesMax = 8 * 1024;

const requestLine = /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1$/;
const connectLine = /^CONNECT ([0-9A-Za-z.-]+:\d{1,5}) HTTP\/1\.1$/;
const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~]*)$/;

/** Clients send it beside a CONNECT, where it says nothing: the connection is the tunnel's. */
const proxyConnection = 'proxy-connection';

/** With one of these a request has a body, or is about the connection. */
const notShort: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'trailer',
  'te',
  'expect',
  'upgrade',
  'http2-settings',
  proxyConnection,
]);

/**
 * The request that a client has sent, if it is one of those that nobody can read in two ways: in one piece, whole, without a
 * body, nothing behind it, no field twice. `undefined` for all others, right or wrong: they are left to Node's parser.
 *
 * @param before the fields of the request before on the same connection
 */
export function readShort(chunk: Buffer, before: Fields | undefined): ShortRequest | undefined {
  const { matched, rest } = readLine(chunk, requestLine);
  const [, method, url] = matched ?? [];
  if (method === undefined || url === undefined) return undefined;
  const fields = rest === before?.text ? before : readFields(rest);
  return fields && { head: { method, url, headers: fields.headers, httpVersion: '1.1' }, fields };
}

/** Where a client wants to be connected to, and what it tells the proxy of itself. */
export interface ShortConnect {
  /** `quay.io:443` */
  readonly target: string;
  readonly proxyAuthorization: string | undefined;
}

/** The same for a CONNECT to a host with a name or an IPv4 address. */
export function readConnect(chunk: Buffer): ShortConnect | undefined {
  if (chunk[0] !== firstOfConnect) return undefined;
  const { matched, rest } = readLine(chunk, connectLine);
  const [, target] = matched ?? [];
  const fields = target === undefined ? undefined : readFields(rest, proxyConnection);
  if (target === undefined || fields === undefined) return undefined;
  return { target, proxyAuthorization: fields.headers['proxy-authorization'] };
}

/** What begins with another letter need not be read for it. */
const firstOfConnect = 0x43;

function readLine(chunk: Buffer, line: RegExp): { readonly matched: RegExpExecArray | null; readonly rest: string } {
  if (chunk.length > shortBytesMax) return { matched: null, rest: '' };
  const text = chunk.toString('latin1');
  const end = text.indexOf('\r\n');
  return { matched: line.exec(text.slice(0, Math.max(end, 0))), rest: text.slice(end + 2) };
}

/** The last fields that gave nobody's credentials away, by what was allowed in them: a client's connections begin alike. */
const recent = new Map<string | undefined, Fields>();

function readFields(text: string, allowed?: string): Fields | undefined {
  const known = recent.get(allowed);
  if (known?.text === text) return known;
  const lines = text.split('\r\n');
  if (lines.length < 3 || lines.pop() !== '' || lines.pop() !== '') return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, given, value] = field.exec(line) ?? [];
    const name = given?.toLowerCase();
    if (name === undefined || value === undefined || headers.has(name)) return undefined;
    if (notShort.has(name) && name !== allowed) return undefined;
    headers.set(name, value.trim());
  }
  const connection = headers.get('connection')?.toLowerCase() ?? 'keep-alive';
  if ((connection !== 'keep-alive' && connection !== 'close') || !headers.has('host')) return undefined;
  const fields = { text, headers: Object.freeze(Object.fromEntries(headers)) };
  if (!headers.has('authorization') && !headers.has('proxy-authorization')) recent.set(allowed, fields);
  return fields;
}
