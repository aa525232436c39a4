import { nearest } from '../nearest.ts';
import { originText, type Problem } from '../error.ts';
import type { KeyNode } from './keys.ts';
import { pathText, type Entry, type MapTree, type Path, type ScalarTree, type Tree } from './tree.ts';

/** What zod can read. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

/**
 * A tree as plain values, with the schema's help: a text stays a text though it looks like a number, `yes` is true where
 * a flag is meant, and what is empty is left out. Unknown keys become problems and are left out, so that the rest is
 * still checked.
 */
export function plainOf(tree: Tree, keys: KeyNode, root: KeyNode, path: Path, problems: Problem[]): Plain | undefined {
  if (keys.scalars.has('any')) return anything(tree);
  if (tree.kind === 'scalar') return scalarOf(tree, keys);
  if (tree.kind === 'list') return listOf(tree.items, keys, root, path, problems);
  if (keys.fields === undefined && keys.values === undefined) return anything(tree);
  const known: Record<string, Plain> = {};
  for (const [key, entry] of tree.entries) {
    const field = keys.fields?.get(key) ?? keys.values;
    if (field === undefined) {
      problems.push(unknownKey(key, entry, keys, root, path));
      continue;
    }
    const value = plainOf(entry.value, field, root, [...path, key], problems);
    if (value !== undefined) Object.defineProperty(known, key, { value, enumerable: true });
  }
  return known;
}

function listOf(items: readonly Tree[], keys: KeyNode, root: KeyNode, path: Path, problems: Problem[]): Plain {
  const itemKeys = keys.items;
  if (itemKeys === undefined) return items.flatMap((item) => anything(item) ?? []);
  return items.flatMap((item, index) => plainOf(item, itemKeys, root, [...path, index], problems) ?? []);
}

function scalarOf(scalar: ScalarTree, keys: KeyNode): Plain | undefined {
  if (scalar.value === null) return keys.fields === undefined && keys.values === undefined ? undefined : {};
  if (keys.scalars.has('boolean') && !scalar.quoted) {
    if (/^(?:true|yes|on|y)$/iu.test(scalar.text)) return true;
    if (/^(?:false|no|off|n)$/iu.test(scalar.text)) return false;
  }
  const takesText = keys.scalars.has('string') || (keys.items?.scalars.has('string') ?? false);
  if (typeof scalar.value !== 'string' && takesText && !keys.scalars.has(typeof scalar.value as 'number'))
    return scalar.text;
  return scalar.value;
}

function anything(tree: Tree): Plain | undefined {
  if (tree.kind === 'scalar') return tree.value ?? undefined;
  if (tree.kind === 'list') return tree.items.flatMap((item) => anything(item) ?? []);
  const known: Record<string, Plain> = {};
  for (const [key, entry] of tree.entries) {
    const value = anything(entry.value);
    if (value !== undefined) Object.defineProperty(known, key, { value, enumerable: true });
  }
  return known;
}

function unknownKey(key: string, entry: Entry, keys: KeyNode, root: KeyNode, path: Path): Problem {
  return {
    key: pathText([...path, key]),
    origin: entry.keyOrigin,
    text: `unknown key; ${advice(key, keys, root, path)}`,
  };
}

function advice(key: string, keys: KeyNode, root: KeyNode, path: Path): string {
  const here = [...(keys.fields?.keys() ?? [])];
  const meant = nearest(key, here);
  if (meant !== undefined) return `write ${meant}, or remove it`;
  const elsewhere = placesOf(key.toLowerCase(), root, []);
  if (elsewhere.length > 0) return `it belongs elsewhere: write it as ${elsewhere.slice(0, elsewhereMax).join(' or ')}`;
  const place = path.length === 0 ? 'at the top' : `below ${pathText(path)}`;
  return here.length === 0
    ? 'remove it: nothing is known here'
    : `remove it, or write one that is known ${place}: ${here.join(', ')}`;
}

const elsewhereMax = 3;

/** Every place of the schema where a key of this name may stand; a key of the operator's own is shown as NAME. */
function placesOf(key: string, keys: KeyNode, path: readonly string[]): readonly string[] {
  const below = keys.values === undefined ? [] : placesOf(key, keys.values, [...path, 'NAME']);
  const fields = [...(keys.fields ?? [])].flatMap(([name, field]) =>
    name === key ? [[...path, name].join('.')] : placesOf(key, field, [...path, name]),
  );
  return [...fields, ...below];
}

/** Every value that was given, by its path, with its place: lists and maps too when they're empty. */
export function givenKeys(tree: Tree, path: Path = []): readonly { readonly path: Path; readonly tree: Tree }[] {
  const below =
    tree.kind === 'map'
      ? [...tree.entries].flatMap(([key, entry]) => givenKeys(entry.value, [...path, key]))
      : tree.kind === 'list'
        ? tree.items.flatMap((item, index) => givenKeys(item, [...path, index]))
        : [];
  return below.length > 0 || path.length === 0 ? below : [{ path, tree }];
}

/** Keys at the top that begin with `x-` are a place for anchors, as in the files of Docker Compose. */
export function withoutExtensions(tree: MapTree): MapTree {
  return { ...tree, entries: new Map([...tree.entries].filter(([key]) => !key.startsWith('x-'))) };
}

/** `storage: inmemory` and `auth: none` are short for a map with that one key, as in registry. */
export function spellOut(tree: MapTree): MapTree {
  const entries = new Map(tree.entries);
  for (const key of ['storage', 'auth']) {
    const entry = entries.get(key);
    if (entry?.value.kind !== 'scalar' || typeof entry.value.value !== 'string') continue;
    const { origin, text } = entry.value;
    const empty: MapTree = { kind: 'map', entries: new Map(), origin };
    const value: MapTree = { kind: 'map', entries: new Map([[text, { keyOrigin: origin, value: empty }]]), origin };
    entries.set(key, { keyOrigin: entry.keyOrigin, value });
  }
  return { ...tree, entries };
}

/** For a notice: `storage.redirect (config.yml:12:3)`. */
export function placed(path: Path, tree: Tree): string {
  return `${pathText(path)} (${originText(tree.origin)})`;
}
