import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';
import type { TomlTable } from 'smol-toml';
import { RegistryError } from '../../oci/errors.ts';

export type TomlValue = string | boolean | readonly string[];

/** @throws RegistryError when it is no TOML */
export function parseToml(text: string, path: string): TomlTable {
  try {
    return parse(text);
  } catch (cause) {
    const [why = ''] = cause instanceof Error ? cause.message.split('\n') : [];
    throw new RegistryError('UNSUPPORTED', `${path} cannot be read (${why}); correct it first`, {
      origin: 'operator',
      cause,
    });
  }
}

/** The table at the end of a path of keys; empty where there is none. */
export function tableAt(root: TomlTable, keys: readonly string[]): TomlTable {
  let table = root;
  for (const key of keys) {
    const next = table[key];
    if (!isTable(next)) return {};
    table = next;
  }
  return table;
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
}

/**
 * Sets one key in a TOML file that others have written. Its lines are changed, not its meaning written anew: comments and
 * order stay. The result is read again, and taken only when it says just that.
 * @throws RegistryError when this way does not lead there
 */
export function setInToml(before: string, keys: readonly string[], value: TomlValue, path: string): string {
  const root = parseToml(before, path);
  const [table, key] = [keys.slice(0, -1), keys.at(-1) ?? ''];
  if (isDeepStrictEqual(plain(tableAt(root, table)[key]), plain(value))) return before;
  const after = withLine(before, table, key, `${key} = ${JSON.stringify(value)}`);
  const wanted = withValue(plain(root) as Nested, keys, value);
  if (says(after, wanted)) return after;
  throw new RegistryError(
    'UNSUPPORTED',
    `${path} cannot be changed without losing something of it; write ${key} = ${JSON.stringify(value)} into [${headerOf(table)}] yourself`,
    { origin: 'operator' },
  );
}

/** Puts a table before all others; lines of no table stay in front of it. Throws as `setInToml` does. */
export function insertFirstTable(before: string, block: string, wanted: unknown, path: string): string {
  const lines = before.split('\n');
  const first = lines.findIndex((line) => /^\s*\[/.test(line));
  const [head, tail] = first < 0 ? [lines, []] : [lines.slice(0, first), lines.slice(first)];
  const gap = head.join('').trim() === '' ? '' : head.at(-1) === '' ? '' : '\n';
  const after = `${head.join('\n')}${head.length > 0 ? '\n' : ''}${gap}${block}${tail.length > 0 ? '\n' : ''}${tail.join('\n')}`;
  if (says(after, wanted)) return after.trimStart();
  throw new RegistryError(
    'UNSUPPORTED',
    `${path} cannot be changed without losing something of it; put this before its first table yourself: ${block.replaceAll(/\s+/g, ' ')}`,
    { origin: 'operator' },
  );
}

type Nested = { [key: string]: unknown };

function says(text: string, wanted: unknown): boolean {
  try {
    return isDeepStrictEqual(plain(parse(text)), plain(wanted));
  } catch {
    return false;
  }
}

function withValue(root: Nested, keys: readonly string[], value: TomlValue): Nested {
  const [key = '', ...rest] = keys;
  if (rest.length === 0) return { ...root, [key]: value };
  return { ...root, [key]: withValue((root[key] ?? {}) as Nested, rest, value) };
}

/** Without what only the parser's own objects have. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
}

function withLine(text: string, table: readonly string[], key: string, line: string): string {
  const lines = text.split('\n');
  const header = lines.findIndex((each) => isDeepStrictEqual(headerKeys(each), table));
  if (header < 0) {
    const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
    return `${start}${start === '' ? '' : '\n'}[${headerOf(table)}]\n  ${line}\n`;
  }
  const indent = `${/^\s*/.exec(lines[header] ?? '')?.[0] ?? ''}  `;
  const [from, count] = lineOf(lines, header + 1, key);
  lines.splice(from, count, indent + line);
  return lines.join('\n');
}

/** Where a key of a table is written, and in how many lines; just below the header and none where it is not. */
function lineOf(lines: readonly string[], start: number, key: string): readonly [from: number, count: number] {
  const end = lines.findIndex((line, index) => index >= start && /^\s*\[/.test(line));
  const body = lines.slice(start, end < 0 ? undefined : end);
  const from = body.findIndex((line) => new RegExp(`^\\s*"?${key}"?\\s*=`).test(line));
  if (from < 0) return [start, 0];
  const isWhole = (count: number): boolean => {
    try {
      return Object.keys(parse(body.slice(from, from + count).join('\n'))).length > 0;
    } catch {
      return false;
    }
  };
  let count = 1;
  while (from + count < body.length && !isWhole(count)) count += 1;
  return [start + from, count];
}

/** The keys of `[a."b.c"]`; `undefined` for every other line. */
function headerKeys(line: string): readonly string[] | undefined {
  if (!/^\s*\[[^[]/.test(line)) return undefined;
  try {
    const keys: string[] = [];
    let [entry] = Object.entries(parse(line));
    while (entry !== undefined) {
      keys.push(entry[0]);
      [entry] = Object.entries(entry[1] as TomlTable);
    }
    return keys;
  } catch {
    return undefined;
  }
}

function headerOf(keys: readonly string[]): string {
  return keys.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}
