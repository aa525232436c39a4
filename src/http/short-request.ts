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
const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~]*)$/;

/** With one of these a request has a body, or is about the connection. */
const notShort: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'trailer',
  'te',
  'expect',
  'upgrade',
  'http2-settings',
  'proxy-connection',
]);

/**
 * The request that a client has sent, if it is one of those that nobody can read in two ways: in one piece, whole, without a
 * body, nothing behind it, no field twice. `undefined` for all others, right or wrong: they are left to Node's parser.
 *
 * @param before the fields of the request before on the same connection
 */
export function readShort(chunk: Buffer, before: Fields | undefined): ShortRequest | undefined {
  if (chunk.length > shortBytesMax) return undefined;
  const text = chunk.toString('latin1');
  const lineEnd = text.indexOf('\r\n');
  const [, method, url] = requestLine.exec(text.slice(0, Math.max(lineEnd, 0))) ?? [];
  if (method === undefined || url === undefined) return undefined;
  const rest = text.slice(lineEnd + 2);
  const fields = rest === before?.text ? before : readFields(rest);
  return fields && { head: { method, url, headers: fields.headers, httpVersion: '1.1' }, fields };
}

function readFields(text: string): Fields | undefined {
  const lines = text.split('\r\n');
  if (lines.length < 3 || lines.pop() !== '' || lines.pop() !== '') return undefined;
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, given, value] = field.exec(line) ?? [];
    const name = given?.toLowerCase();
    if (name === undefined || value === undefined || headers.has(name) || notShort.has(name)) return undefined;
    headers.set(name, value.trim());
  }
  const connection = headers.get('connection')?.toLowerCase() ?? 'keep-alive';
  if (connection !== 'keep-alive' || !headers.has('host')) return undefined;
  return { text, headers: Object.freeze(Object.fromEntries(headers)) };
}
