import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { silent } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { downloadKeyOf } from '../index/settling.ts';
import { thisProcess } from './holder.ts';
import { Tenure } from './tenure.ts';

test('what a holder leaves in the very moment in which its lease is asked for is there to go on with', async (t) => {
  await using index = await openSqliteIndex({ path: ':memory:' });
  const clock = new FakeClock();
  const digest = digestOf('blob');
  const key = downloadKeyOf(digest);
  const theirs = await index.leases.acquire(key, 'somebody', 10_000, clock.now());
  assert.ok(theirs);
  const acquire = index.leases.acquire.bind(index.leases);
  t.mock.method(index.leases, 'acquire', async (...asked: Parameters<typeof acquire>) => {
    await index.leases.release(theirs, 'half of it');
    return acquire(...asked);
  });
  await using ours = await Tenure.acquire(digest, { index, clock, observer: silent, holder: thisProcess() });
  assert.equal(ours?.left?.state, 'half of it');
  assert.equal(ours?.left?.expiresAtMs, 0, 'it was released, not lost');
});
