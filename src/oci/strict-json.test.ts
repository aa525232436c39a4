import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { ambiguityOf, jsonDepthMax } from './strict-json.ts';

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

  test('may be nested as deep as that, and no deeper', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    assert.equal(ambiguityOf(nested(jsonDepthMax)), undefined);
    assert.match(ambiguityOf(nested(jsonDepthMax + 1)) ?? '', /nested deeper/);
    assert.match(ambiguityOf('{"a":'.repeat(500_000)) ?? '', /nested deeper/);
  });

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
