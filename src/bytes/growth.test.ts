import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Growth, withheldBytes } from './growth.ts';

const size = 100 * 1024;
const withheldFrom = size - withheldBytes;

/** Whether a reader who waits there is called, and how. */
function watch(growth: Growth, position: number, verified = false): { state: 'waiting' | 'called' | Error } {
  const watched: { state: 'waiting' | 'called' | Error } = { state: 'waiting' };
  growth.wait(position, verified).then(
    () => (watched.state = 'called'),
    (error: Error) => (watched.state = error),
  );
  return watched;
}

function grow(
  extents: readonly (readonly [start: number, end: number])[] = [],
  onDemand = (): void => {},
  clock = new FakeClock(),
): Growth {
  return new Growth(
    size,
    extents.map(([start, end]) => ({ start, end })),
    onDemand,
    clock,
  );
}

describe('content that grows', () => {
  test('can be read as far as it goes without a hole', () => {
    const growth = grow([[10, 20]]);
    assert.equal(growth.readableEnd(0, false), 0);
    assert.equal(growth.readableEnd(15, false), 20);
    growth.add(0, 10);
    assert.equal(growth.readableEnd(0, false), 20);
  });

  test('holds its end back from those who must not complete a bad body', () => {
    const growth = grow([[0, size]]);
    assert.equal(growth.complete, true);
    assert.equal(growth.readableEnd(0, true), withheldFrom);
    assert.equal(growth.readableEnd(withheldFrom + 10, true), withheldFrom + 10);
    assert.equal(growth.readableEnd(0, false), size);
    growth.verify();
    assert.equal(growth.readableEnd(0, true), size);
    assert.equal(growth.readableEnd(size - 1, true), size);
  });

  test('holds all of a small blob back', () => {
    const growth = new Growth(withheldBytes, [{ start: 0, end: withheldBytes }], () => {}, new FakeClock());
    assert.equal(growth.readableEnd(0, true), 0);
    assert.equal(growth.readableEnd(0, false), withheldBytes);
  });

  test('that was verified stays so when somebody else takes over', () => {
    const growth = grow([[0, size]]);
    growth.verify();
    growth.retire();
    assert.equal(growth.readableEnd(0, true), size);
  });

  test('that somebody else took over unverified stays withheld', () => {
    const growth = grow([[0, size]]);
    growth.retire();
    assert.equal(growth.readableEnd(0, true), withheldFrom);
  });

  test('without a size is complete when its end is known and there', () => {
    const growth = new Growth(Infinity, [], () => {}, new FakeClock());
    growth.add(0, 50);
    assert.equal(growth.complete, false);
    growth.endAt(50);
    assert.equal(growth.complete, true);
  });
});

describe('who waits for content that grows', () => {
  test('is called when what he waits for can be read, and not before', async () => {
    const growth = grow();
    const [first, second] = [watch(growth, 0), watch(growth, 50)];
    growth.add(10, 50);
    await nextTurn();
    assert.deepEqual([first.state, second.state], ['waiting', 'waiting']);
    growth.add(0, 10);
    await nextTurn();
    assert.deepEqual([first.state, second.state], ['called', 'waiting']);
    growth.add(50, 51);
    await nextTurn();
    assert.equal(second.state, 'called');
  });

  test('is called for the withheld end when that is verified', async () => {
    const growth = grow([[0, size - 10]]);
    const [verified, unverified] = [watch(growth, withheldFrom, true), watch(growth, size - 10)];
    growth.add(size - 10, size);
    await nextTurn();
    assert.deepEqual([verified.state, unverified.state], ['waiting', 'called']);
    growth.verify();
    await nextTurn();
    assert.equal(verified.state, 'called');
  });

  test('is told of to who brings the bytes, but once for all who wait at the same place', async () => {
    let told = 0;
    const growth = new Growth(size, [], () => (told += 1), new FakeClock());
    for (let reader = 0; reader < 1_000; reader += 1) watch(growth, 0);
    watch(growth, 50);
    assert.equal(told, 2);
    assert.deepEqual(growth.wanted(), [0, 50]);
    growth.add(0, 10);
    watch(growth, 10);
    assert.equal(told, 3);
    assert.deepEqual(growth.wanted(), [10, 50]);
  });

  test('is called together with the others when they are many, once for all that came in 20 ms', async () => {
    const clock = new FakeClock();
    const growth = grow([], undefined, clock);
    const crowd = Array.from({ length: 5 }, () => watch(growth, 0));
    growth.add(0, 10);
    await clock.advance(19);
    growth.add(10, 20);
    assert.ok(crowd.every(({ state }) => state === 'waiting'));
    await clock.advance(1);
    assert.ok(crowd.every(({ state }) => state === 'called'));
    const few = Array.from({ length: 4 }, () => watch(growth, 20));
    growth.add(20, 30);
    await nextTurn();
    assert.ok(few.every(({ state }) => state === 'called'));
  });

  test('does not wait for others when the end has come, or a failure', async () => {
    const clock = new FakeClock();
    const [right, wrong] = [grow([], undefined, clock), grow([], undefined, clock)];
    const ends = Array.from({ length: 50 }, () => watch(right, 0, true));
    const failures = Array.from({ length: 50 }, () => watch(wrong, 0));
    right.add(0, size);
    right.verify();
    wrong.add(0, size);
    wrong.fail(new Error('gone'));
    await nextTurn();
    assert.ok(ends.every(({ state }) => state === 'called'));
    assert.ok(failures.every(({ state }) => state instanceof Error));
  });

  test('hears of a failure, now and later', async () => {
    const growth = grow();
    const failure = new Error('the upstream gave up');
    const before = watch(growth, 0);
    growth.fail(failure);
    growth.fail(new Error('a second one'));
    const after = watch(growth, 0);
    await nextTurn();
    assert.deepEqual([before.state, after.state], [failure, failure]);
  });

  test('is called when somebody else has the rest, now and later', async () => {
    const growth = grow();
    const before = watch(growth, 0);
    growth.retire();
    const after = watch(growth, 0);
    await nextTurn();
    assert.deepEqual([before.state, after.state], ['called', 'called']);
  });

  test('is a demand for what is not there', async () => {
    let demands = 0;
    const growth = grow([[0, 10]], () => {
      demands += 1;
    });
    for (const position of [50, 10, 50, 0, 20]) watch(growth, position);
    assert.equal(demands, 4);
    assert.deepEqual(growth.wanted(), [10, 20, 50]);
    growth.add(10, 50);
    await nextTurn();
    assert.deepEqual(growth.wanted(), [50]);
    watch(growth, size);
    assert.deepEqual(growth.wanted(), [50], 'nothing is wanted from beyond the end');
  });

  test('is always called, whatever order the pieces come in', async () => {
    const order = fc.shuffledSubarray([...Array(20).keys()], { minLength: 20, maxLength: 20 });
    const places = fc.array(fc.record({ position: fc.nat(size - 1), verified: fc.boolean() }), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(order, places, async (pieces, readers) => {
        const clock = new FakeClock();
        const growth = grow([], undefined, clock);
        const watched = readers.map((reader) => ({
          ...reader,
          at: watch(growth, reader.position, reader.verified),
        }));
        for (const piece of pieces) {
          growth.add((piece * size) / 20, ((piece + 1) * size) / 20);
          await clock.advance(20);
          for (const { position, verified, at } of watched) {
            const readable = growth.readableEnd(position, verified) > position;
            assert.equal(at.state, readable ? 'called' : 'waiting');
          }
        }
        growth.verify();
        await nextTurn();
        assert.ok(watched.every(({ at }) => at.state === 'called'));
      }),
      { numRuns: 30 },
    );
  });
});
