import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileKeys } from './load.ts';
import { support, supportOf } from './support.ts';
import { keyAt, type KeyNode } from './tree/keys.ts';

function leaves(keys: KeyNode, path: readonly string[]): readonly (readonly string[])[] {
  const fields = [...(keys.fields ?? [])];
  return fields.length === 0 ? [path] : fields.flatMap(([name, field]) => leaves(field, [...path, name]));
}

describe('the table of supported keys', () => {
  test('has a line for every key', () => {
    const missing = leaves(fileKeys, []).filter((path) => supportOf(path) === undefined);
    assert.deepEqual(missing, []);
  });

  test('has no line for a key that does not exist', () => {
    const stray = Object.keys(support).filter(
      (pattern) => keyAt(fileKeys, pattern.split('.')).description === undefined,
    );
    assert.deepEqual(stray, []);
  });

  test('says of every key that is not honoured what to do, or why not to mind', () => {
    for (const [pattern, entry] of Object.entries(support)) {
      if (entry.kind === 'refused') assert.match(entry.text, /; (?:use|remove|write) /u, pattern);
      if (entry.kind === 'explained') assert.match(entry.text, /^\S.{10,}[^.;]$/u, pattern);
    }
  });
});

test('every key has a description, and no default that its own schema refuses', () => {
  const undescribed = (keys: KeyNode, path: string): readonly string[] => [
    ...(keys.description === undefined && path !== '' && !path.endsWith(']') && !path.endsWith('NAME') ? [path] : []),
    ...[...(keys.fields ?? [])].flatMap(([name, field]) => undescribed(field, path === '' ? name : `${path}.${name}`)),
    ...(keys.items?.fields === undefined ? [] : undescribed(keys.items, `${path}[]`)),
    ...(keys.values?.fields === undefined ? [] : undescribed(keys.values, `${path}.NAME`)),
  ];
  assert.deepEqual(
    undescribed(fileKeys, ''),
    ['access', 'mirror'].filter((key) => keyAt(fileKeys, [key]).description === undefined),
  );
});
