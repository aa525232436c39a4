import { isCollection, isScalar, isSeq, parseDocument } from 'yaml';
import { RegistryError } from '../../oci/errors.ts';

export interface YamlEntry {
  readonly keys: readonly string[];
  /** A list's entry comes before those that are there; anything else replaces. */
  readonly value: string | readonly string[];
}

/**
 * Sets keys in a YAML file that others have written; comments stay. The same text where all of it is there already.
 * @throws RegistryError when it is no YAML
 */
export function mergeYaml(before: string, entries: readonly YamlEntry[], path: string): string {
  const document = parseDocument(before);
  if (document.errors.length > 0) {
    const [why = ''] = document.errors[0]?.message.split('\n') ?? [];
    throw new RegistryError('UNSUPPORTED', `${path} cannot be read (${why}); correct it first`, { origin: 'operator' });
  }
  let changed = false;
  for (const { keys, value } of entries) {
    const there = document.getIn(keys);
    const given: unknown = isCollection(there) ? there.toJSON() : there;
    const wanted = typeof value === 'string' ? value : [...value, ...othersOf(given, value)];
    if (JSON.stringify(given) === JSON.stringify(wanted)) continue;
    if (isSeq(there) && typeof value !== 'string') {
      const others = there.items.filter((item) => !(isScalar(item) && value.includes(String(item.value))));
      there.items = [...value.map((entry) => document.createNode(entry)), ...others];
    } else document.setIn(keys, document.createNode(wanted));
    changed = true;
  }
  return changed ? document.toString({ lineWidth: 0 }) : before;
}

function othersOf(given: unknown, ours: readonly string[]): readonly unknown[] {
  return Array.isArray(given) ? given.filter((entry) => !ours.includes(entry as string)) : [];
}
