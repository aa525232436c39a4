import { RegistryError } from '../../oci/errors.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Puts entries in front of lists of a JSON file that others have written, and leaves everything else of it as it is; the same
 * text where they are there already.
 * @throws RegistryError when it is no such file
 */
export function mergeJson(before: string, lists: Readonly<Record<string, readonly string[]>>, path: string): string {
  const given = parsed(before, path);
  const merged = { ...given };
  for (const [key, entries] of Object.entries(lists)) {
    const there = given[key] ?? [];
    if (!Array.isArray(there)) {
      throw new RegistryError('UNSUPPORTED', `"${key}" in ${path} is no list; correct it first`, {
        origin: 'operator',
      });
    }
    merged[key] = [...entries, ...there.filter((entry) => !entries.includes(entry as string))];
  }
  if (JSON.stringify(merged) === JSON.stringify(given)) return before;
  return `${JSON.stringify(merged, undefined, indentOf(before))}\n`;
}

function parsed(text: string, path: string): Json {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  } catch (cause) {
    throw new RegistryError('UNSUPPORTED', `${path} is not valid JSON; correct it first`, {
      origin: 'operator',
      cause,
    });
  }
  throw new RegistryError('UNSUPPORTED', `${path} holds no JSON object; correct it first`, { origin: 'operator' });
}

/** As the file has it. */
function indentOf(text: string): string {
  return /^\{\s*\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
}
