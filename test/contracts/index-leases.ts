import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeLease } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function leasesContract(make: MakeIndex): void {
  test("a running lease is nobody else's, not even its holder's again", async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const lease = await leases.acquire('key', 'one', 100, 1_000);
    assert.deepEqual({ ...lease, epoch: 0 }, { key: 'key', holder: 'one', epoch: 0 });
    assert.equal(await leases.acquire('key', 'two', 100, 1_099), undefined);
    assert.equal(await leases.acquire('key', 'one', 100, 1_099), undefined);
    assert.ok(await leases.acquire('other key', 'two', 100, 1_099));
  });

  test('an expired lease goes to the next, and the one before can neither renew nor release it', async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const old = await leases.acquire('key', 'one', 100, 1_000);
    const taken = await leases.acquire('key', 'two', 100, 1_100);
    assert.ok(old && taken && taken.epoch > old.epoch);
    assert.equal(await leases.renew(old, 'mine', 100, 1_101), false);
    await leases.release(old, 'mine');
    assert.deepEqual(await leases.peek('key'), { ...taken, state: '', expiresAtMs: 1_200 });
  });

  test('renewing prolongs a lease and tells its state', async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const lease = await takeLease(subject.index, 'key', 1_000);
    assert.equal(await leases.renew(lease, 'half', 500, 1_900), true);
    assert.deepEqual(await leases.peek('key'), { ...lease, state: 'half', expiresAtMs: 2_400 });
    assert.equal(await leases.acquire('key', 'two', 100, 2_399), undefined);
  });

  test('an expired lease that nobody took can still be renewed: nothing was missed', async () => {
    await using subject = await make();
    const lease = await takeLease(subject.index, 'key', 1_000);
    assert.equal(await subject.index.leases.renew(lease, '', 100, 9_000), true);
    assert.equal(await subject.index.leases.acquire('key', 'two', 100, 9_050), undefined);
  });

  test('a released lease is free at once, and its state is there for the next holder', async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const lease = await takeLease(subject.index, 'key', 1_000);
    await leases.release(lease, 'suspended');
    assert.deepEqual(await leases.peek('key'), { ...lease, state: 'suspended', expiresAtMs: 0 });
    assert.equal(await leases.renew(lease, '', 100, 1_001), false);
    const next = await leases.acquire('key', 'two', 100, 1_001);
    assert.equal((await leases.peek('key'))?.state, 'suspended');
    assert.ok(next && next.epoch > lease.epoch);
  });

  test('leases that were not released are listed by prefix', async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const keys = ['download:b', 'download:a', 'downloads', 'download', 'other:a'];
    for (const key of keys) await takeLease(subject.index, key, 1);
    await leases.release(await takeLease(subject.index, 'download:c', 1), '');
    assert.deepEqual(
      (await leases.list('download:')).map(({ key }) => key),
      ['download:a', 'download:b'],
    );
    assert.equal((await leases.list('')).length, 5);
    assert.equal((await leases.list('download:a'))[0]?.expiresAtMs, 1_001);
  });

  test('epochs grow across releases and after ended leases were forgotten', async () => {
    await using subject = await make();
    const { leases } = subject.index;
    const epochs: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      const lease = await takeLease(subject.index, 'key', round * 10_000);
      epochs.push(lease.epoch);
      if (round % 2 === 0) await leases.release(lease, '');
      await leases.prune((round + 1) * 10_000);
      assert.equal(await leases.peek('key'), undefined);
    }
    assert.deepEqual(
      epochs,
      [...new Set(epochs)].sort((one, other) => one - other),
    );
  });

  test('running leases are not forgotten', async () => {
    await using subject = await make();
    const lease = await takeLease(subject.index, 'key', 1_000);
    await subject.index.leases.prune(2_000);
    assert.equal((await subject.index.leases.peek('key'))?.epoch, lease.epoch);
  });

  test('of many that ask at once in two processes, one gets the lease', async () => {
    await using subject = await make();
    await using second = await subject.second();
    for (let round = 1; round <= 20; round += 1) {
      const asked = Array.from({ length: 8 }, (_, each) => {
        const { leases } = each % 2 === 0 ? subject.index : second;
        return leases.acquire('key', `holder ${each}`, 10, round * 10);
      });
      assert.equal((await Promise.all(asked)).filter((lease) => lease !== undefined).length, 1);
    }
  });

  test('what one process says, the other reads', async () => {
    await using subject = await make();
    await using second = await subject.second();
    const lease = await takeLease(subject.index, 'key', 1_000);
    await subject.index.leases.renew(lease, 'half', 500, 1_900);
    assert.equal((await second.leases.peek('key'))?.state, 'half');
    assert.equal(await second.leases.renew(lease, 'theirs', 500, 1_901), true);
  });
}
