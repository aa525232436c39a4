import type { KeyNode } from '../tree/keys.ts';
import { treeAt, type Path, type Step, type Tree } from '../tree/tree.ts';

/** A point in the schema, in what was given so far, and where that is. */
export interface Place {
  readonly keys: KeyNode;
  readonly tree: Tree | undefined;
  readonly path: Path;
  /** Names of the operator's own that are known although nobody gave them: of built-in upstreams. */
  readonly names: (path: Path) => readonly string[];
}

export interface FoundKey {
  readonly path: Path;
  readonly keys: KeyNode;
  /** What is wrong, where an index leaves a gap in a list. */
  readonly gap: string | undefined;
}

/** The key that a variable's segments lead to from a place; undefined when they lead nowhere. */
export function keyOfVariable(segments: readonly string[], place: Place): FoundKey | undefined {
  const [segment, ...rest] = segments;
  const { keys, path } = place;
  if (segment === undefined) return { path, keys, gap: undefined };
  if (keys.scalars.has('any'))
    return { path: [...path, ...segments.map((each) => each.toLowerCase())], keys, gap: undefined };
  const field = fieldOf(segment, keys);
  if (field !== undefined) return keyOfVariable(rest, below(place, field.name, field.keys));
  if (keys.values !== undefined)
    return existingName(segments, place, keys.values) ?? newName(segments, place, keys.values);
  if (keys.items !== undefined && /^\d+$/u.test(segment)) return itemOf(Number(segment), rest, place, keys.items);
  return undefined;
}

/** registry matches the names of Go's fields, which here and there aren't those of the file. */
const fieldNames: Readonly<Record<string, string>> = {
  EVENTCONFIG: 'events',
  FILECHECKERS: 'file',
  HTTPCHECKERS: 'http',
  TCPCHECKERS: 'tcp',
  MAILOPTIONS: 'options',
};

function fieldOf(segment: string, keys: KeyNode): { readonly name: string; readonly keys: KeyNode } | undefined {
  const name = fieldNames[segment.toUpperCase()] ?? segment.toLowerCase();
  const found = keys.fields?.get(name);
  return found === undefined ? undefined : { name, keys: found };
}

/** A list grows by one at a time, as in registry. */
function itemOf(index: number, rest: readonly string[], place: Place, keys: KeyNode): FoundKey | undefined {
  const { tree } = place;
  const one = tree?.kind === 'scalar' && tree.value !== null ? 1 : 0;
  const length = tree?.kind === 'list' ? tree.items.length : one;
  if (index <= length) return keyOfVariable(rest, below(place, index, keys));
  return { path: [...place.path, index], keys, gap: `leaves a gap in the list; write ${length} as the next index` };
}

/** A name that is there already, however it is spelled; the longest first, for names hold `_` themselves. */
function existingName(segments: readonly string[], place: Place, keys: KeyNode): FoundKey | undefined {
  const known = [...(place.tree?.kind === 'map' ? place.tree.entries.keys() : []), ...place.names(place.path)];
  for (let length = segments.length; length > 0; length -= 1) {
    const written = segments.slice(0, length).join('_').toLowerCase();
    const name =
      known.find((each) => each.toLowerCase() === written) ?? known.find((each) => asVariable(each) === written);
    const found = name === undefined ? undefined : keyOfVariable(segments.slice(length), below(place, name, keys));
    if (found !== undefined) return found;
  }
  return undefined;
}

function asVariable(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/gu, '_');
}

/** A new name is one segment, in lower case as registry makes it; an empty segment (`__`) stands for a dot. */
function newName(segments: readonly string[], place: Place, keys: KeyNode): FoundKey | undefined {
  const parts = [segments[0] ?? ''];
  let used = 1;
  while (segments[used] === '' && segments[used + 1] !== undefined) {
    parts.push(segments[used + 1] ?? '');
    used += 2;
  }
  const name = parts.join('.').toLowerCase();
  return name === '' ? undefined : keyOfVariable(segments.slice(used), below(place, name, keys));
}

function below(place: Place, step: Step, keys: KeyNode): Place {
  return { ...place, keys, tree: treeAt(place.tree, [step]), path: [...place.path, step] };
}
