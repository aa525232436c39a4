import type { Reply } from './message.ts';

/** One entry of the specification's error body (distribution specification, "Error Codes"). */
export interface ErrorEntry {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

export function errorBody(entry: ErrorEntry): Buffer {
  return Buffer.from(`${JSON.stringify({ errors: [entry] })}\n`);
}

export function errorReply(status: number, entry: ErrorEntry, headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = errorBody(entry);
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(bytes.length), ...headers },
    body: { kind: 'bytes', bytes },
  };
}
