import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBandwidth, parseBytes, parseSizeLimit } from './size.ts';

describe('a size', () => {
  const good: readonly (readonly [string | number, number])[] = [
    ['100GB', 100e9],
    ['50MB', 50e6],
    ['50mb', 50e6],
    ['64MiB', 67_108_864],
    ['1.5 GiB', 1_610_612_736],
    ['12kB', 12_000],
    ['7', 7],
    [1024, 1024],
    [0, 0],
    ['1PB', 1e15],
  ];
  for (const [text, bytes] of good) {
    test(`${JSON.stringify(text)} is ${bytes} bytes`, () => assert.equal(parseBytes(text), bytes));
  }

  test('with a single letter is refused, for it may be two things', () => {
    assert.throws(() => parseBytes('32g'), /write 32GB or 32GiB/u);
  });

  for (const text of ['-1', 'many', '5 parsecs', '1e3', '', '9007199254740993']) {
    test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parseBytes(text), /; write/u));
  }

  test('may be a share of the disk where there is one', () => {
    assert.deepEqual(parseSizeLimit('5%'), { kind: 'percent', percent: 5 });
    assert.deepEqual(parseSizeLimit('2.5 %'), { kind: 'percent', percent: 2.5 });
    assert.deepEqual(parseSizeLimit('1GB'), { kind: 'bytes', sizeBytes: 1e9 });
    assert.throws(() => parseSizeLimit('101%'), /at most 100%/u);
  });

  test('of zero is no limit for a bandwidth', () => {
    assert.equal(parseBandwidth(0), Number.POSITIVE_INFINITY);
    assert.equal(parseBandwidth('50MB'), 50e6);
    assert.equal(parseBandwidth('50MB/s'), 50e6);
  });
});
