import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Extents } from './extents.ts';
import type { Extent } from './extents.ts';

const limit = 40;
const pieces = fc.array(fc.tuple(fc.nat(limit), fc.nat(limit)).map(([start, end]) => ({ start, end })));

/** The same, one flag a byte. */
function flagsOf(list: readonly Extent[]): readonly boolean[] {
  return Array.from({ length: limit }, (_, position) =>
    list.some(({ start, end }) => start <= position && position < end),
  );
}

describe('extents', () => {
  test('merge what overlaps or touches and keep the rest apart', () => {
    const extents = new Extents();
    extents.add(10, 20);
    extents.add(30, 40);
    assert.deepEqual(extents.toJSON(), [
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ]);
    extents.add(20, 25);
    extents.add(29, 31);
    assert.deepEqual(extents.toJSON(), [
      { start: 10, end: 25 },
      { start: 29, end: 40 },
    ]);
    extents.add(0, 100);
    assert.deepEqual(extents.toJSON(), [{ start: 0, end: 100 }]);
  });

  test('take no notice of nothing', () => {
    assert.deepEqual(Extents.from([{ start: 5, end: 5 }]).toJSON(), []);
    assert.deepEqual(Extents.from([{ start: 6, end: 5 }]).toJSON(), []);
    assert.equal(new Extents().covers(3, 3), true);
  });

  test('tell the gaps up to a limit', () => {
    const extents = Extents.from([
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ]);
    assert.deepEqual(extents.gapFrom(0, 50), { start: 0, end: 10 });
    assert.deepEqual(extents.gapFrom(10, 50), { start: 20, end: 30 });
    assert.deepEqual(extents.gapFrom(25, 50), { start: 25, end: 30 });
    assert.deepEqual(extents.gapFrom(25, 28), { start: 25, end: 28 });
    assert.deepEqual(extents.gapFrom(30, 50), { start: 40, end: 50 });
    assert.equal(extents.gapFrom(30, 40), undefined);
    assert.equal(extents.gapFrom(60, 50), undefined);
    assert.deepEqual(extents.gapFrom(35, Infinity), { start: 40, end: Infinity });
  });

  test('are the same as one flag a byte, whatever is added', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const extents = Extents.from(list);
        const flags = flagsOf(list);
        assert.deepEqual(flagsOf(extents.toJSON()), flags);
        assert.equal(extents.bytes, flags.filter(Boolean).length);
        for (let position = 0; position < limit; position += 1) {
          const length = flags.slice(position).findIndex((there) => !there);
          const end = length < 0 ? limit : position + length;
          assert.equal(extents.endOfRunAt(position), end, `the run at ${position}`);
          const start = flags.indexOf(false, position);
          const next = start < 0 ? -1 : flags.indexOf(true, start);
          const gap = start < 0 ? undefined : { start, end: next < 0 ? limit : next };
          assert.deepEqual(extents.gapFrom(position, limit), gap, `the gap from ${position}`);
        }
      }),
    );
  });

  test('stay sorted and apart, whatever is added', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const found = Extents.from(list).toJSON();
        for (const [index, { start, end }] of found.entries()) {
          assert.ok(start < end);
          assert.ok(index === 0 || (found[index - 1]?.end ?? 0) < start);
        }
        assert.deepEqual(Extents.from(found).toJSON(), found, 'and can be told and read back');
      }),
    );
  });
});
