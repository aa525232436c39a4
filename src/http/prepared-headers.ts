/** Headers that are the same in many answers, written out once. */
export interface PreparedHeaders {
  /** Lines of HTTP/1.1, each with its end. */
  readonly text: string;
}

/** @throws as `headerLine` does */
export function prepareHeaders(headers: Readonly<Record<string, string>>): PreparedHeaders {
  return { text: asOneText(writeOut(Object.entries(headers).flat())) };
}

/**
 * The same text, of Latin-1 alone. V8 keeps one as the tree of what it was put together from, and walks through that
 * whenever it is written.
 */
export function asOneText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Name, value, name, value. */
export function readBack({ text }: PreparedHeaders): string[] {
  return text
    .split(lineEnd)
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
}

/** @param headers name, value, name, value */
export function writeOut(headers: readonly string[]): string {
  let text = '';
  for (let at = 0; at < headers.length; at += 2) text += headerLine(headers[at] ?? '', headers[at + 1] ?? '');
  return text;
}

/** @throws when it has what HTTP cannot carry: it might be read as another header */
export function headerLine(name: string, value: string): string {
  const line = `${name}: ${value}`;
  if (unsafe.test(line)) throw new Error(`the header ${name} cannot be sent`);
  return line + lineEnd;
}

const lineEnd = '\r\n';
const unsafe = /[^\t\x20-\x7e\x80-\xff]/;
