import { isScalar, parseDocument } from 'yaml';
import type { Origin, Problem } from '../error.ts';
import type { KeyNode } from '../tree/keys.ts';
import { readYaml } from '../tree/read-yaml.ts';
import { emptyMap, treeAt, type Tree } from '../tree/tree.ts';

/**
 * The value of a variable as a tree: YAML, as registry has it; but where only a text can be meant, a text that is no
 * YAML (a password with a brace in it, `[::]:5000`) is taken as it is.
 */
export function variableValue(value: string, keys: KeyNode, name: string, problems: Problem[]): Tree {
  const origin: Origin = { kind: 'env', name };
  const takesText = keys.scalars.has('string') && keys.fields === undefined && keys.values === undefined;
  if (takesText && !(keys.items !== undefined && isList(value))) return textValue(value, keys, origin);
  const indented = value.includes('\n') ? `\n${value.replaceAll(/^/gmu, '  ')}` : value;
  const { tree, problems: wrong } = readYaml(`value: ${indented}\n`, name);
  for (const problem of wrong)
    problems.push({
      key: undefined,
      origin,
      text: problem.text.replace(/; correct.*$/u, '; correct the YAML of its value'),
    });
  return placedAt(treeAt(tree, ['value']) ?? emptyMap(origin), origin);
}

function isList(value: string): boolean {
  const isAddress = /^\s*\[[0-9a-f:.]+\]:\d+\s*$/iu.test(value);
  return !isAddress && /^\s*(?:\[.*\]|- .*)\s*$/su.test(value);
}

function textValue(value: string, keys: KeyNode, origin: Origin): Tree {
  const written = value.trim();
  if (written === '' || written === 'null' || written === '~')
    return { kind: 'scalar', value: null, text: '', quoted: false, origin };
  const document = parseDocument(written);
  const content = document.errors.length === 0 && isScalar(document.contents) ? document.contents : undefined;
  if (content !== undefined && content.type !== 'PLAIN' && typeof content.value === 'string') {
    return { kind: 'scalar', value: content.value, text: content.value, quoted: true, origin };
  }
  const asNumber = keys.scalars.has('number') && typeof content?.value === 'number' ? content.value : undefined;
  return { kind: 'scalar', value: asNumber ?? written, text: written, quoted: false, origin };
}

/** The same tree with every place in it being the variable. */
function placedAt(tree: Tree, origin: Origin): Tree {
  if (tree.kind === 'scalar') return { ...tree, origin };
  if (tree.kind === 'list') return { ...tree, items: tree.items.map((item) => placedAt(item, origin)), origin };
  const entries = [...tree.entries].map(
    ([key, entry]) => [key, { keyOrigin: origin, value: placedAt(entry.value, origin) }] as const,
  );
  return { ...tree, entries: new Map(entries), origin };
}
