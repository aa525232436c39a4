import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseContentRange, parseLength } from './content-range.ts';
import { parseRateLimit } from './ratelimit.ts';
import { retryAfterSeconds, retryAfterSecondsMax } from './retry-after.ts';

describe('Content-Range', () => {
  test('is read when it makes sense', () => {
    assert.deepEqual(parseContentRange('bytes 0-0/1'), { start: 0, end: 1, size: 1 });
    assert.deepEqual(parseContentRange('bytes 5-9/*'), { start: 5, end: 10, size: undefined });
  });

  for (const field of [
    'bytes */10',
    'bytes 5-4/10',
    'bytes 0-10/10',
    'items 0-1/2',
    'bytes 0-1',
    'bytes=0-1/2',
    '',
    'bytes 0-1/2, 3-4/5',
    'bytes 9999999999999999-9999999999999999/*',
  ]) {
    test(`"${field}" is nothing`, () => assert.equal(parseContentRange(field), undefined));
  }

  test('of any text is either nothing or a range within its size', () => {
    const number = fc.oneof(fc.nat().map(String), fc.constantFrom('*', '', '-1', '1e3'));
    const field = fc.tuple(number, number, number).map(([a, b, c]) => `bytes ${a}-${b}/${c}`);
    fc.assert(
      fc.property(fc.oneof(field, fc.string()), (text) => {
        const range = parseContentRange(text);
        if (range) assert.ok(range.start < range.end && range.end <= (range.size ?? Number.MAX_SAFE_INTEGER));
      }),
    );
  });
});

test('Content-Length is digits or nothing', () => {
  assert.deepEqual(['12', '', '1e3', '-1', ' 1', undefined].map(parseLength), [
    12,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

describe('Retry-After', () => {
  const now = Date.parse('2030-01-01T12:00:00Z');
  const cases = [
    ['120', 120],
    ['0', 0],
    ['1.5', 2],
    ['Tue, 01 Jan 2030 12:01:30 GMT', 90],
    ['Tuesday, 01-Jan-30 12:01:30 GMT', 90],
    ['Tue Jan  1 12:01:30 2030', 90],
    ['Tue, 01 Jan 2030 11:00:00 GMT', undefined],
    ['99999999999', retryAfterSecondsMax],
    ['Fri, 31 Dec 2199 00:00:00 GMT', retryAfterSecondsMax],
    ['Tue, 99 Foo 2030 12:01:30 GMT', undefined],
    ['2030-02-01', undefined],
    ['-5', undefined],
    ['1.', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const;
  for (const [field, seconds] of cases) {
    test(`${String(field)} is ${String(seconds)} seconds`, () => {
      assert.equal(retryAfterSeconds(field === undefined ? {} : { 'retry-after': field }, now), seconds);
    });
  }
});

describe("Docker Hub's limit", () => {
  test('is read with its window', () => {
    const headers = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' };
    assert.deepEqual(parseRateLimit(headers), { limit: 100, remaining: 76 });
  });

  test('is nothing when half of it is missing or odd', () => {
    assert.equal(parseRateLimit({ 'ratelimit-limit': '100' }), undefined);
    assert.equal(parseRateLimit({ 'ratelimit-limit': 'x', 'ratelimit-remaining': '1' }), undefined);
  });
});
