import type { Reply } from '../http/message.ts';

export function jsonReply(value: unknown, headers: Readonly<Record<string, string>>): Reply {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', ...headers, 'Content-Length': String(bytes.length) },
    body: { kind: 'bytes', bytes },
  };
}
