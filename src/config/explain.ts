import { builtinUpstreams, canonicalName } from './builtin-upstreams.ts';
import { originText } from './error.ts';
import { fileKeys, type Loaded } from './load.ts';
import { supportOf } from './support.ts';
import type { KeyNode } from './tree/keys.ts';
import { plainOf } from './tree/plain.ts';
import { pathText, treeAt, type Path, type Tree } from './tree/tree.ts';
import { upstreamName } from './value/upstream-name.ts';

/** One line of `entrepot config`. */
export interface ExplainedKey {
  readonly key: string;
  /** As one would write it; secrets are `***`, what isn't set is empty. */
  readonly value: string;
  /** `default`, `built-in`, `config.yml:12:7`, or a variable's name. */
  readonly origin: string;
}

/**
 * Every key that counts, with its value and where that came from, in the schema's order. Keys that this version doesn't
 * honour are left out unless they're given. The defaults of all upstreams stand once, as `upstreams.*`; below a name
 * stands what is particular to it.
 */
export function explain(loaded: Loaded): readonly ExplainedKey[] {
  const derived = new Map(loaded.derived.map((each) => [each.key, each]));
  const rows: ExplainedKey[] = [];
  const leaf = (path: Path, keys: KeyNode, tree: Tree | undefined): void => {
    const key = pathText(path);
    const found = derived.get(key);
    if (isSet(tree)) rows.push({ key, value: valueText(tree, keys), origin: originText(tree.origin) });
    else if (found !== undefined) rows.push({ key, value: found.value, origin: originText(found.origin) });
    else if (isHonoured(path)) rows.push({ key, value: textOf(keys.fallback, keys), origin: 'default' });
  };
  walk({ path: [], keys: fileKeys, tree: loaded.given }, leaf, () => rows.push(...upstreamRows(loaded)));
  return rows;
}

interface Place {
  readonly path: Path;
  readonly keys: KeyNode;
  readonly tree: Tree | undefined;
}

type Leaf = (path: Path, keys: KeyNode, tree: Tree | undefined) => void;

function walk({ path, keys, tree }: Place, leaf: Leaf, upstreams: () => void): void {
  if (path.length === 1 && path[0] === 'upstreams') return upstreams();
  const isValue = keys.fields === undefined || (isSet(tree) && tree.kind !== 'map');
  if (isValue) return leaf(path, keys, tree);
  for (const [name, field] of keys.fields)
    walk({ path: [...path, name], keys: field, tree: treeAt(tree, [name]) }, leaf, upstreams);
}

function upstreamRows({ given, config }: Loaded): readonly ExplainedKey[] {
  const keys = fileKeys.fields?.get('upstreams')?.values;
  if (keys === undefined || config.mode === 'registry') return [];
  const rows: ExplainedKey[] = [];
  const addDefault: Leaf = (path, each) =>
    rows.push({ key: pathText(path), value: textOf(each.fallback, each), origin: 'default' });
  walk({ path: ['upstreams', '*'], keys, tree: undefined }, addDefault, nothing);
  const table = treeAt(given, ['upstreams']);
  const names = table?.kind === 'map' ? [...table.entries.keys()] : [];
  const writtenAs = new Map(names.map((name) => [canonicalName(upstreamName(name) ?? name), name]));
  const reached = builtinUpstreams.filter((upstream) => config.upstreams.some((each) => each.name === upstream.name));
  const builtin = reached.flatMap((upstream) => {
    const written = writtenAs.get(upstream.name) ?? upstream.name;
    return Object.entries(upstream.keys).map(([key, value]) => ({
      key: `upstreams.${written}.${key}`,
      value: textOf(value, keys),
      origin: 'built-in',
    }));
  });
  const own = names.flatMap((name) => ownRows(name, keys, treeAt(table, [name])));
  const known = new Set([...own, ...builtin].map((row) => row.key));
  const urls = names
    .filter((name) => !known.has(`upstreams.${name}.url`))
    .map((name) => ({
      key: `upstreams.${name}.url`,
      value: `https://${upstreamName(name) ?? name}`,
      origin: 'default',
    }));
  const ownKeys = new Set(own.map((row) => row.key));
  return [...rows, ...builtin.filter((row) => !ownKeys.has(row.key)), ...urls, ...own];
}

function ownRows(name: string, keys: KeyNode, tree: Tree | undefined): readonly ExplainedKey[] {
  const rows: ExplainedKey[] = [];
  const leaf: Leaf = (path, each, value) => {
    if (isSet(value))
      rows.push({ key: pathText(path), value: valueText(value, each), origin: originText(value.origin) });
  };
  walk({ path: ['upstreams', name], keys, tree }, leaf, nothing);
  return rows;
}

function nothing(): void {}

function isSet(tree: Tree | undefined): tree is Tree {
  return tree !== undefined && !(tree.kind === 'scalar' && tree.value === null);
}

function isHonoured(path: Path): boolean {
  return supportOf(path)?.support.kind === 'honoured';
}

function valueText(tree: Tree, keys: KeyNode): string {
  return textOf(plainOf(masked(tree, keys), keys, fileKeys, [], []), keys);
}

/** The tree without its secrets, wherever in it the schema has them. */
function masked(tree: Tree, keys: KeyNode): Tree {
  if (keys.secret) return { kind: 'scalar', value: hidden, text: hidden, quoted: true, origin: tree.origin };
  const { items } = keys;
  if (tree.kind === 'list' && items !== undefined)
    return { ...tree, items: tree.items.map((item) => masked(item, items)) };
  if (tree.kind !== 'map') return tree;
  const entries = [...tree.entries].map(([key, entry]) => {
    const field = keys.fields?.get(key) ?? keys.values;
    return [key, field === undefined ? entry : { ...entry, value: masked(entry.value, field) }] as const;
  });
  return { ...tree, entries: new Map(entries) };
}

const hidden = '***';

function textOf(value: unknown, keys: KeyNode): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (keys.secret) return hidden;
  return text.replaceAll(/\/\/[^/@\s"]*@/gu, `//${hidden}@`).replaceAll(/(:\/\/[^\s"?]*\?)[^\s"]+/gu, `$1${hidden}`);
}
