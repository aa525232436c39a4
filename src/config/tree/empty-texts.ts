import { keyAt, type KeyNode } from './keys.ts';
import type { Entry, MapTree, Path, Tree } from './tree.ts';

/**
 * A key of registry's with an empty text is not given, as in registry: templates leave such keys behind. In lists an
 * empty text stays, and is an error: no authorities of clients at all must not come of one that has no name.
 */
export function withoutEmptyTexts(tree: MapTree, keys: KeyNode, isRegistrys: (path: Path) => boolean): MapTree {
  const mapped = (map: MapTree, path: Path): MapTree => ({
    ...map,
    entries: new Map(
      [...map.entries].flatMap(([key, entry]): [string, Entry][] => {
        const place = [...path, key];
        if (isEmptyText(entry.value, keyAt(keys, place)) && isRegistrys(place)) return [];
        return [[key, { ...entry, value: below(entry.value, place) }]];
      }),
    ),
  });
  const below = (value: Tree, path: Path): Tree => {
    if (value.kind === 'map') return mapped(value, path);
    if (value.kind === 'scalar') return value;
    return { ...value, items: value.items.map((item, index) => below(item, [...path, index])) };
  };
  return mapped(tree, []);
}

function isEmptyText(value: Tree, { scalars, items }: KeyNode): boolean {
  return value.kind === 'scalar' && value.value === '' && scalars.has('string') && items === undefined;
}
