import assert from 'node:assert/strict';
import { test } from 'node:test';
import { app, blob, etcd, redis, store, takeLease } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function blobsContract(make: MakeIndex): void {
  const layer = blob('layer', 500);
  const { digest, size } = layer;

  test('a blob rests in the store from when that was said until it is forgotten', async () => {
    await using subject = await make();
    const { blobs } = subject.index;
    assert.equal(await blobs.stored(digest), undefined);
    await store(subject.index, layer, 1);
    assert.equal(await blobs.stored(digest), size);
    await blobs.forget(digest);
    assert.equal(await blobs.stored(digest), undefined);
    await blobs.forget(digest);
  });

  test('a blob without bytes rests in the store like any other', async () => {
    await using subject = await make();
    await store(subject.index, { ...layer, size: 0 }, 1);
    assert.equal(await subject.index.blobs.stored(digest), 0);
  });

  test('who lost its lease stores nothing', async () => {
    await using subject = await make();
    const { blobs, leases } = subject.index;
    const old = await takeLease(subject.index, 'download', 0);
    const taken = await leases.acquire('download', 'other', 1_000, 5_000);
    assert.equal(await blobs.store(digest, size, old, 5_001), false);
    assert.equal(await blobs.stored(digest), undefined);
    assert.ok(taken);
    assert.equal(await blobs.store(digest, size, taken, 5_002), true);
    assert.equal(await blobs.store(digest, size + 1, { ...taken, key: 'never leased' }, 5_003), false);
    assert.equal(await blobs.stored(digest), size);
  });

  test('a repository is a member once that was earned, and stays one when the blob is forgotten', async () => {
    await using subject = await make();
    const { blobs } = subject.index;
    assert.equal(await blobs.standing(redis, digest), 'none');
    await blobs.addMember(redis, digest, 1);
    await blobs.addMember(redis, digest, 2);
    await store(subject.index, layer, 3);
    await blobs.forget(digest);
    assert.equal(await blobs.standing(redis, digest), 'member');
    assert.equal(await blobs.standing(etcd, digest), 'none');
    assert.deepEqual(await blobs.members(digest), [redis]);
  });

  test('a blob is public while a public repository has it', async () => {
    await using subject = await make();
    const { blobs, repositories } = subject.index;
    await blobs.addMember(redis, digest, 1);
    assert.equal(await blobs.standing(etcd, digest), 'none');
    await repositories.setVisibility(redis, { public: true, checkedAtMs: 1 });
    assert.equal(await blobs.standing(etcd, digest), 'public');
    assert.equal(await blobs.standing(redis, digest), 'member');
    await repositories.setVisibility(redis, { public: false, checkedAtMs: 2 });
    assert.equal(await blobs.standing(etcd, digest), 'none');
  });

  test('a blob can be fetched again from where it is a member', async () => {
    await using subject = await make();
    const { blobs } = subject.index;
    for (const key of [redis, etcd, app]) await blobs.addMember(key, digest, 1);
    const names = (await blobs.members(digest)).map(({ upstream, name }) => `${upstream ?? 'hosted'} ${name}`);
    assert.deepEqual(names.sort(), ['docker.io library/redis', 'hosted app', 'quay.io coreos/etcd']);
    assert.deepEqual(await blobs.members(blob('unknown', 1).digest), []);
  });

  test('what rests in the store is listed in the order of digests, from any digest on', async () => {
    await using subject = await make();
    const { blobs } = subject.index;
    const all = Array.from({ length: 7 }, (_, each) => blob('listed', each + 1));
    for (const each of all) await store(subject.index, each, 1);
    const sorted = all
      .map((each) => ({ digest: each.digest, size: each.size }))
      .sort((one, other) => (one.digest < other.digest ? -1 : 1));
    await blobs.addMember(redis, digest, 1);
    assert.deepEqual(await blobs.list(undefined, 100), sorted);
    assert.deepEqual(await blobs.list(sorted[2]?.digest, 3), sorted.slice(3, 6));
    assert.deepEqual(await blobs.list(sorted[6]?.digest, 3), []);
  });
}
