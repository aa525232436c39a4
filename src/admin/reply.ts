import type { Reply } from '../http/message.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';

export function jsonReply(value: unknown, status = 200): Reply {
  return bytesReply(status, 'application/json', `${JSON.stringify(value)}\n`);
}

export function textReply(status: number, text: string, contentType = 'text/plain; charset=utf-8'): Reply {
  return bytesReply(status, contentType, text);
}

/** One JSON value a line, sent as they come. */
export function linesReply(lines: AsyncIterable<unknown>): Reply {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' },
    body: { kind: 'stream', chunks: encoded(lines) },
  };
}

/** The last line of what did not succeed. */
export function failedLine(error: unknown): {
  readonly type: 'failed';
  readonly code: string;
  readonly message: string;
} {
  const code = error instanceof RegistryError ? error.code : 'UNKNOWN';
  return { type: 'failed', code, message: messageOf(error) };
}

async function* encoded(lines: AsyncIterable<unknown>): AsyncIterable<string> {
  for await (const line of lines) yield `${JSON.stringify(line)}\n`;
}

function bytesReply(status: number, contentType: string, text: string): Reply {
  const bytes = Buffer.from(text);
  return {
    status,
    headers: { 'Content-Type': contentType, 'Content-Length': String(bytes.length), 'Cache-Control': 'no-store' },
    body: { kind: 'bytes', bytes },
  };
}
