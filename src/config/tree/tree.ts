import type { Origin } from '../error.ts';
import type { Plain } from './plain.ts';

/**
 * The file and the environment before anything is understood: maps, lists and scalars that know where they stand.
 * Never changed in place: an alias of YAML is the same tree twice.
 */
export type Tree = MapTree | ListTree | ScalarTree;

export interface MapTree {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
  readonly origin: Origin;
}

/** A key's own place is where an unknown key is reported. */
export interface Entry {
  readonly keyOrigin: Origin;
  readonly value: Tree;
}

export interface ListTree {
  readonly kind: 'list';
  readonly items: readonly Tree[];
  readonly origin: Origin;
}

export interface ScalarTree {
  readonly kind: 'scalar';
  /** As YAML reads it. */
  readonly value: string | number | boolean | null;
  /** As it is written, without quotes: what a text is, even where it looks like a number. */
  readonly text: string;
  readonly quoted: boolean;
  readonly origin: Origin;
}

/** One step: a key of a map or an index of a list. */
export type Step = string | number;
export type Path = readonly Step[];

export const emptyMap = (origin: Origin): MapTree => ({ kind: 'map', entries: new Map(), origin });

/** `upstreams.docker.io.mirrors[0].url`, as errors and `entrepot config` name a key. */
export function pathText(path: Path): string {
  return path.map((step, at) => (typeof step === 'number' ? `[${step}]` : `${at === 0 ? '' : '.'}${step}`)).join('');
}

export function treeAt(tree: Tree | undefined, path: Path): Tree | undefined {
  return path.reduce<Tree | undefined>((found, step) => child(found, step), tree);
}

function child(tree: Tree | undefined, step: Step): Tree | undefined {
  if (tree?.kind === 'map' && typeof step === 'string') return tree.entries.get(step)?.value;
  if (tree?.kind === 'list' && typeof step === 'number') return tree.items[step];
  return undefined;
}

/** Where a key stands, or the nearest thing around it that stands somewhere. */
export function originAt(tree: Tree, path: Path): Origin {
  for (let length = path.length; length > 0; length -= 1) {
    const found = treeAt(tree, path.slice(0, length));
    if (found !== undefined) return found.origin;
  }
  return tree.origin;
}

/** Where the key itself stands rather than its value; a variable, where one gave the value. */
export function keyOriginAt(tree: Tree, path: Path): Origin {
  const origin = originAt(tree, path);
  const key = path.at(-1);
  const around = treeAt(tree, path.slice(0, -1));
  if (origin.kind === 'env' || around?.kind !== 'map' || typeof key !== 'string') return origin;
  return around.entries.get(key)?.keyOrigin ?? origin;
}

/** A copy with `value` at `path`; what is missing on the way is made, what is in the way is replaced. */
export function withValue(tree: Tree | undefined, path: Path, value: Tree): Tree {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const items =
      tree?.kind === 'list' ? [...tree.items] : tree?.kind === 'scalar' && tree.value !== null ? [tree] : [];
    items[step] = withValue(items[step], rest, value);
    return { kind: 'list', items, origin: tree?.origin ?? value.origin };
  }
  const entries = new Map(tree?.kind === 'map' ? tree.entries : []);
  const before = entries.get(step);
  entries.set(step, { keyOrigin: before?.keyOrigin ?? value.origin, value: withValue(before?.value, rest, value) });
  return { kind: 'map', entries, origin: tree?.origin ?? value.origin };
}

/** Plain values as a tree, all of it from one place. */
export function treeOf(value: Plain, origin: Origin): Tree {
  if (typeof value !== 'object') return { kind: 'scalar', value, text: String(value), quoted: false, origin };
  if (isList(value)) return { kind: 'list', items: value.map((item) => treeOf(item, origin)), origin };
  const entry = (each: Plain): Entry => ({ keyOrigin: origin, value: treeOf(each, origin) });
  const entries = Object.entries(value).map(([key, each]) => [key, entry(each)] as const);
  return { kind: 'map', entries: new Map(entries), origin };
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}
