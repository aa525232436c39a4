import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseRange, rangesMax } from './range.ts';

/** `0-9,5-` for parts, `whole`, or `416`. */
function told(header: string | undefined, size: number): string {
  const answer = parseRange(header, size);
  if (answer.kind === 'whole') return 'whole';
  if (answer.kind === 'unsatisfiable') return '416';
  return answer.parts.map(({ start, end, openEnded }) => `${start}..${end}${openEnded ? '+' : ''}`).join(' ');
}

describe('a Range header', () => {
  const rows: readonly (readonly [string | undefined, number, string])[] = [
    [undefined, 100, 'whole'],
    ['bytes=0-0', 100, '0..1'],
    ['bytes=0-99', 100, '0..100'],
    ['bytes=0-1000', 100, '0..100'],
    ['bytes=10-', 100, '10..100+'],
    ['bytes=0-', 100, '0..100+'],
    ['bytes=-1', 100, '99..100'],
    ['bytes=-1000', 100, '0..100'],
    ['bytes=99-', 100, '99..100+'],
    ['bytes=100-', 100, '416'],
    ['bytes=100-200', 100, '416'],
    ['bytes=-0', 100, '416'],
    ['bytes=0-0,10-19', 100, '0..1 10..20'],
    ['bytes=50-59,0-9', 100, '50..60 0..10'],
    ['bytes=0-9,200-', 100, '0..10'],
    ['bytes=200-,300-', 100, '416'],
    ['bytes= 0-9 , 20-29', 100, '0..10 20..30'],
    ['bytes=0-9,,20-29', 100, '0..10 20..30'],
    ['BYTES=0-9', 100, '0..10'],
    ['bytes=0-,0-', 100, 'whole'],
    ['bytes=0-60,50-', 100, 'whole'],
    ['bytes=9-0', 100, '416'],
    ['bytes=0-9,9-0', 100, '416'],
    ['bytes=200-100', 100, '416'],
    ['bytes=', 100, 'whole'],
    ['bytes=,', 100, 'whole'],
    ['bytes=-', 100, 'whole'],
    ['bytes=a-b', 100, 'whole'],
    ['bytes=0-9;20-29', 100, 'whole'],
    ['bytes=0x1-2', 100, 'whole'],
    ['bytes=+1-2', 100, 'whole'],
    ['bytes=1.5-2', 100, 'whole'],
    ['bytes=99999999999999999999-', 100, '416'],
    ['lines=0-9', 100, 'whole'],
    ['0-9', 100, 'whole'],
    ['', 100, 'whole'],
    ['bytes=0-', 0, 'whole'],
    ['bytes=-5', 0, 'whole'],
  ];
  for (const [header, size, expected] of rows) {
    test(`${header} of ${size} bytes is ${expected}`, () => assert.equal(told(header, size), expected));
  }

  test('asks for a thousand ranges at once, as podman does, and gets the whole beyond the limit', () => {
    const ranges = Array.from({ length: rangesMax }, (_, index) => `${index * 10}-${index * 10 + 4}`);
    const answer = parseRange(`bytes=${ranges.join(',')}`, rangesMax * 10);
    assert.ok(answer.kind === 'parts');
    assert.equal(answer.parts.length, rangesMax);
    assert.equal(told(`bytes=${ranges.join(',')},99999-`, 100_000), 'whole');
  });

  test('never yields a part outside of the blob, nor more bytes than it has', () => {
    const number = fc.oneof(fc.nat(300), fc.constantFrom('', '-', '99999999999999'));
    const text = fc.oneof(
      fc
        .array(fc.tuple(number, number), { maxLength: 6 })
        .map((list) => `bytes=${list.map((pair) => pair.join('-')).join(',')}`),
      fc.string({ maxLength: 30 }).map((tail) => `bytes=${tail}`),
      fc.string({ maxLength: 30 }),
    );
    fc.assert(
      fc.property(text, fc.nat(200), (header, size) => {
        const answer = parseRange(header, size);
        if (answer.kind !== 'parts') return;
        const bytes = answer.parts.reduce((sum, { start, end }) => sum + end - start, 0);
        assert.ok(bytes <= size);
        for (const { start, end } of answer.parts) assert.ok(0 <= start && start < end && end <= size);
      }),
      { numRuns: 2_000 },
    );
  });

  test('finds just the bytes that a naive reading of the RFC finds', () => {
    const spec = fc.oneof(
      fc.tuple(fc.nat(120), fc.nat(120)).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const),
      fc.nat(120).map((first) => [first, undefined] as const),
      fc.nat(120).map((last) => [undefined, last] as const),
    );
    fc.assert(
      fc.property(spec, fc.integer({ min: 1, max: 100 }), ([first, last], size) => {
        const wanted = Array.from({ length: size }, (_, position) => position).filter((position) =>
          first === undefined ? position >= size - (last ?? 0) : position >= first && position <= (last ?? size),
        );
        const answer = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
        if (wanted.length === 0) return assert.equal(answer.kind, 'unsatisfiable');
        assert.ok(answer.kind === 'parts');
        const [part] = answer.parts;
        assert.deepEqual([part.start, part.end], [wanted[0], (wanted.at(-1) ?? 0) + 1]);
      }),
    );
  });
});
