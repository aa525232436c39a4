import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ambiguityOf, excessOf, jsonDepthMax, jsonValuesMax } from './strict-json.ts';

describe('a JSON text', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"layers":[],"Layers":[]}',
    '{"a":{"b":1,"c":[],"b":{}}}',
    '[{"x":":","x":","}]',
    String.raw`{"a":1,"\u0061":2}`,
    String.raw`{"q\"":1,"q\"":2}`,
  ]) {
    test(`may be read in two ways: ${text}`, () => {
      assert.match(ambiguityOf(text) ?? '', /stands twice/);
    });
  }

  test('that was written from a value can be read in one way only, unless keys differ in case', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        const lower = JSON.stringify(JSON.parse(text.toLowerCase()));
        assert.equal(ambiguityOf(lower), undefined, lower);
      }),
    );
  });

  test('may have the same key in two objects, and keys that look like punctuation', () => {
    assert.equal(ambiguityOf('{"a":{"a":[{"a":1},{"a":"}:{"}]},"{":"a","}":"b",":":1}'), undefined);
  });
});

describe('a JSON text from anybody', () => {
  const excess = (text: string): string => excessOf(Buffer.from(text)) ?? 'fine';

  test('may be nested as deep as that, and no deeper', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    assert.equal(excess(nested(jsonDepthMax)), 'fine');
    assert.match(excess(nested(jsonDepthMax + 1)), /nested deeper/);
    assert.match(excess('{"a":'.repeat(500_000)), /nested deeper/);
  });

  test('may have so many values, and none more', () => {
    const wide = (values: number): string => JSON.stringify(Array.from({ length: values - 1 }, () => 1));
    assert.equal(excess(wide(jsonValuesMax - 1)), 'fine');
    assert.match(excess(wide(jsonValuesMax + 1)), /more than 50000 values/);
    assert.match(excess(`[${'{},'.repeat(jsonValuesMax / 2)}{}]`), /more than 50000 values/);
  });

  test('may have as much of anything inside a string', () => {
    assert.equal(excess(JSON.stringify({ a: `"\\${'[{,'.repeat(100_000)}` })), 'fine');
    assert.match(excess(`"\\\\"${'['.repeat(100)}`), /nested deeper/);
    assert.equal(excess(`"\\"${'['.repeat(100)}`), 'fine', 'a string that never ends');
  });

  test('is looked at without reading it', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => assert.equal(excess(text), 'fine')));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void excessOf(bytes)));
  });
});
