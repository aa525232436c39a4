import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blob, etcd, image, latest, redis, tag } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function tagsContract(make: MakeIndex): void {
  const before = image([blob('before', 10)]);
  const after = image([blob('after', 20)]);
  const seen = { digest: after.digest, size: after.size, mediaType: after.mediaType };

  test('a tag points at a manifest that the repository holds, and only at such a one', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(etcd, before, 1);
    const refusal = { code: 'MANIFEST_UNKNOWN', origin: 'entrepot' };
    await assert.rejects(tags.point(redis, latest, before.digest, 2), refusal);
    await manifests.put(redis, before, 1);
    await assert.rejects(tags.point(redis, latest, after.digest, 2), refusal);
    await tags.point(redis, latest, before.digest, 3);
    assert.deepEqual(await tags.find(redis, latest), { digest: before.digest, checkedAtMs: 3, seen: undefined });
    assert.equal(await tags.find(etcd, latest), undefined);
  });

  test('confirming moves the time of the check, and 0 makes the tag due', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, before, 1);
    await tags.point(redis, latest, before.digest, 3);
    await tags.confirm(redis, latest, 50);
    assert.equal((await tags.find(redis, latest))?.checkedAtMs, 50);
    await tags.confirm(redis, latest, 0);
    assert.equal((await tags.find(redis, latest))?.checkedAtMs, 0);
    await tags.confirm(redis, tag('unknown'), 50);
    assert.equal(await tags.find(redis, tag('unknown')), undefined);
  });

  test('a tag that was only seen waits for its manifest and then points at it, checked when it was seen', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await tags.see(redis, latest, seen, 5);
    const waiting = { digest: undefined, checkedAtMs: 0, seen: { descriptor: seen, atMs: 5 } };
    assert.deepEqual(await tags.find(redis, latest), waiting);
    assert.deepEqual((await tags.list(redis, { limit: 9, last: undefined })).items, []);
    await manifests.put(etcd, after, 8);
    assert.deepEqual(await tags.find(redis, latest), waiting);
    await manifests.put(redis, after, 9);
    assert.deepEqual(await tags.find(redis, latest), { digest: after.digest, checkedAtMs: 5, seen: undefined });
    assert.deepEqual((await tags.list(redis, { limit: 9, last: undefined })).items, [latest]);
  });

  test('seeing a tag elsewhere replaces nothing until the manifest is held', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, before, 1);
    await tags.point(redis, latest, before.digest, 1);
    await tags.see(redis, latest, seen, 5);
    const between = await tags.find(redis, latest);
    assert.deepEqual(between, { digest: before.digest, checkedAtMs: 1, seen: { descriptor: seen, atMs: 5 } });
    await manifests.put(redis, after, 9);
    assert.deepEqual(await tags.find(redis, latest), { digest: after.digest, checkedAtMs: 5, seen: undefined });
  });

  test('seeing a tag at what is held after all points it there', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, after, 1);
    await tags.see(redis, latest, seen, 5);
    assert.deepEqual(await tags.find(redis, latest), { digest: after.digest, checkedAtMs: 5, seen: undefined });
  });

  test('pointing and confirming forget what was seen; making due keeps it and makes it due', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, before, 1);
    await tags.point(redis, latest, before.digest, 1);
    await tags.see(redis, latest, seen, 5);
    await tags.confirm(redis, latest, 0);
    const due = { digest: before.digest, checkedAtMs: 0, seen: { descriptor: seen, atMs: 0 } };
    assert.deepEqual(await tags.find(redis, latest), due);
    await tags.confirm(redis, latest, 6);
    assert.equal((await tags.find(redis, latest))?.seen, undefined);
    await tags.see(redis, latest, seen, 7);
    await tags.point(redis, latest, before.digest, 8);
    assert.deepEqual(await tags.find(redis, latest), { digest: before.digest, checkedAtMs: 8, seen: undefined });
  });

  test('tags are listed in byte order, page by page', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, before, 1);
    const names = ['v1', 'V1', '10', '9', '_x', 'v1.0', 'v1-rc', 'a'].map(tag);
    for (const name of names) await tags.point(redis, name, before.digest, 1);
    const sorted = ['10', '9', 'V1', '_x', 'a', 'v1', 'v1-rc', 'v1.0'];
    assert.deepEqual(await tags.list(redis, { limit: 100, last: undefined }), { items: sorted, next: undefined });
    assert.deepEqual(await tags.list(redis, { limit: 3, last: undefined }), { items: sorted.slice(0, 3), next: 'V1' });
    assert.deepEqual(await tags.list(redis, { limit: 5, last: 'V1' }), { items: sorted.slice(3), next: undefined });
    assert.deepEqual(await tags.list(redis, { limit: 2, last: 'b' }), { items: ['v1', 'v1-rc'], next: 'v1-rc' });
    assert.deepEqual(await tags.list(etcd, { limit: 2, last: undefined }), { items: [], next: undefined });
  });

  test('a removed tag is gone, its manifest stays', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, before, 1);
    await tags.point(redis, latest, before.digest, 1);
    assert.equal(await tags.remove(redis, latest), true);
    assert.equal(await tags.remove(redis, latest), false);
    assert.equal(await tags.find(redis, latest), undefined);
    assert.ok(await manifests.find(redis, before.digest));
  });
}
