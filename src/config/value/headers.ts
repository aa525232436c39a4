import { validateHeaderName, validateHeaderValue } from 'node:http';
import { quoted, ValueError } from './value-error.ts';

type Headers = Readonly<Record<string, readonly string[]>>;

/**
 * Headers that HTTP can carry. Values that go over several lines are one line each, as registry has them.
 * @throws ValueError
 */
export function parseHeaders(headers: Headers): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [nameOf(name), values.map((value) => valueOf(name, value))]),
  );
}

function nameOf(name: string): string {
  try {
    validateHeaderName(name);
    return name;
  } catch {
    throw new ValueError(`${quoted(name)} is not the name of a header; write one such as X-Content-Type-Options`);
  }
}

function valueOf(name: string, text: string): string {
  const value = text.replaceAll(/[\r\n]+/gu, ' ').trim();
  try {
    validateHeaderValue(name, value);
    return value;
  } catch {
    throw new ValueError(`the value ${quoted(value)} of ${name} has a character that no header may have; leave it out`);
  }
}
