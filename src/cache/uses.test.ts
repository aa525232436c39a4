import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { KeepingIndex, Use } from '../index/contract.ts';
import { digestOf } from '../oci/digest.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import { Uses } from './uses.ts';

const [a, b] = ['a', 'b'].map((name) => ({ upstream: 'quay.io', name: parseRepositoryName(name) })) as [
  Use['repository'],
  Use['repository'],
];
const digest = digestOf('content');

function setUp(fails = false) {
  const clock = new FakeClock();
  const written: Use[][] = [];
  const failures: unknown[] = [];
  const touch = async (uses: readonly Use[]): Promise<void> => {
    if (fails) throw new Error('SQLITE_FULL');
    written.push([...uses]);
  };
  const uses = new Uses({ touch } as Partial<KeepingIndex> as KeepingIndex, clock, (error) => failures.push(error));
  return { clock, written, failures, uses };
}

describe('what was used', () => {
  test('is written in batches, the last use of each', async () => {
    const { clock, written, uses } = setUp();
    uses.note(a, digest);
    await clock.advance(1_000);
    uses.note(b, digest);
    uses.note(a, digest);
    assert.deepEqual(written, []);
    await clock.advance(5_000);
    const atMs = new FakeClock().now() + 1_000;
    assert.deepEqual(written, [
      [
        { repository: a, digest, atMs },
        { repository: b, digest, atMs },
      ],
    ]);
    await clock.advance(60_000);
    assert.equal(written.length, 1, 'nothing new, nothing written');
    uses.note(a, digest);
    await clock.advance(5_000);
    assert.equal(written.length, 2);
  });

  test('is written at once at the end', async () => {
    const { clock, written, uses } = setUp();
    uses.note(a, digest);
    await uses.flush();
    assert.equal(written.length, 1);
    await clock.advance(60_000);
    assert.equal(written.length, 1);
  });

  test('is not written again within the minute: what is popular costs one write a minute', async () => {
    const { clock, written, uses } = setUp();
    for (let second = 0; second < 120; second += 1) {
      uses.note(a, digest);
      await clock.advance(1_000);
    }
    assert.equal(written.length, 2);
  });

  test('never piles up beyond a limit, and leaves others their turn', async () => {
    const { clock, written, uses } = setUp();
    for (let count = 0; count < 50_000; count += 1) {
      uses.note(a, digestOf(String(count)));
      if (count % 10_000 === 0) await clock.advance(1);
    }
    assert.ok(written.length > 0, 'it did not wait for five seconds');
    const turn = setImmediate();
    const flushed = uses.flush();
    await turn;
    const before = written.length;
    await flushed;
    assert.ok(written.length > before, 'it did not write all of it in one turn');
    assert.equal(written.flat().length, 50_000);
    assert.ok(Math.max(...written.map((batch) => batch.length)) <= 20);
  });

  test('may be lost, but that is told', async () => {
    const { clock, failures, uses } = setUp(true);
    uses.note(a, digest);
    await clock.advance(5_000);
    assert.equal(failures.length, 1);
    uses.note(a, digest);
    await clock.advance(5_000);
    assert.equal(failures.length, 2, 'and it goes on');
  });
});
