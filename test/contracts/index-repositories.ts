import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addBlob,
  app,
  blob,
  displayOf,
  etcd,
  hold,
  image,
  imageIndex,
  latest,
  redis,
  repository,
  store,
  tag,
} from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function repositoriesContract(make: MakeIndex): void {
  const [config, layer] = [blob('config', 10), blob('layer', 500)];
  const one = image([config, layer]);
  const two = image([config]);
  const both = imageIndex([one, two]);

  test('repositories that hold something are listed in byte order of their names, page by page', async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    const names = ['a', 'a-b', 'a.b', 'a/b', 'b'].map((name) => repository('quay.io', name));
    for (const key of [app, redis, ...names]) await manifests.put(key, one, 1);
    await repositories.setVisibility(repository('quay.io', 'empty'), { public: true, checkedAtMs: 1 });
    const all = (await repositories.list({ limit: 100, last: undefined })).items.map(({ key }) => displayOf(key));
    const expected = [
      'app',
      'docker.io/library/redis',
      'quay.io/a',
      'quay.io/a-b',
      'quay.io/a.b',
      'quay.io/a/b',
      'quay.io/b',
    ];
    assert.deepEqual(all, expected);
    const page = await repositories.list({ limit: 3, last: 'docker.io' });
    assert.deepEqual(
      page.items.map(({ key }) => displayOf(key)),
      expected.slice(1, 4),
    );
    assert.equal(page.next, 'quay.io/a-b');
    assert.equal((await repositories.list({ limit: 3, last: page.next })).next, undefined);
    await manifests.remove(redis, one.digest);
    assert.equal((await repositories.list({ limit: 100, last: undefined })).items.length, expected.length - 1);
  });

  test("a repository's visibility is what was last said", async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    assert.equal(await repositories.visibility(redis), undefined);
    await manifests.put(redis, one, 1);
    assert.equal(await repositories.visibility(redis), undefined);
    await repositories.setVisibility(redis, { public: true, checkedAtMs: 5 });
    await repositories.setVisibility(redis, { public: false, checkedAtMs: 6 });
    assert.deepEqual(await repositories.visibility(redis), { public: false, checkedAtMs: 6 });
    const [row] = (await repositories.list({ limit: 1, last: undefined })).items;
    assert.deepEqual(row, { key: redis, visibility: { public: false, checkedAtMs: 6 } });
  });

  test('an image is listed with its tags, its use, and how much of it is held', async () => {
    await using subject = await make();
    const { manifests, tags, keeping, repositories } = subject.index;
    await manifests.put(redis, one, 3);
    await store(subject.index, config, 3);
    for (const name of [tag('b'), tag('a')]) await tags.point(redis, name, one.digest, 3);
    await keeping.touch([{ repository: redis, digest: one.digest, atMs: 8 }]);
    const { items, next } = await repositories.images({ limit: 10, last: undefined }, '');
    assert.equal(next, undefined);
    assert.deepEqual(items, [
      {
        key: redis,
        digest: one.digest,
        mediaType: one.mediaType,
        tags: ['a', 'b'],
        describedBytes: 510,
        heldBytes: 10,
        storedAtMs: 3,
        lastUsedMs: 8,
        pinned: false,
        gone: false,
      },
    ]);
  });

  test('an index is as big as all that it lists, each blob once', async () => {
    await using subject = await make();
    await subject.index.manifests.put(redis, both, 1);
    const rowOf = async (): Promise<readonly unknown[]> => {
      const { items } = await subject.index.repositories.images({ limit: 10, last: undefined }, '');
      const row = items.find(({ digest }) => digest === both.digest);
      return [row?.describedBytes, row?.heldBytes];
    };
    const manifestBytes = one.size + two.size;
    assert.deepEqual(await rowOf(), [manifestBytes, 0]);
    await hold(subject.index, redis, one, 1);
    assert.deepEqual(await rowOf(), [manifestBytes + 510, one.size + 510]);
    await subject.index.manifests.put(redis, two, 1);
    assert.deepEqual(await rowOf(), [manifestBytes + 510, manifestBytes + 510]);
  });

  test('images are listed by repository and digest, by prefix, page by page', async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    for (const key of [redis, etcd, app]) for (const each of [one, two, both]) await manifests.put(key, each, 1);
    const everything = await repositories.images({ limit: 100, last: undefined }, '');
    const names = everything.items.map(({ key, digest }) => `${displayOf(key)}@${digest}`);
    assert.equal(names.length, 9);
    assert.deepEqual(names, [...names].sort());
    const paged: string[] = [];
    for (let last: string | undefined, more = true; more; more = last !== undefined) {
      const page = await repositories.images({ limit: 2, last }, '');
      paged.push(...page.items.map(({ key, digest }) => `${displayOf(key)}@${digest}`));
      last = page.next;
    }
    assert.deepEqual(paged, names);
    const some = await repositories.images({ limit: 100, last: undefined }, 'docker.io/lib');
    assert.deepEqual(
      some.items.map(({ key }) => key),
      [redis, redis, redis],
    );
    assert.deepEqual((await repositories.images({ limit: 9, last: undefined }, 'docker.io/x')).items, []);
  });

  test('of two repositories with one displayed name, pages show both', async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    const twin = repository(undefined, displayOf(redis));
    const other = image([layer]);
    for (const key of [app, redis, twin, etcd]) for (const each of [one, other]) await manifests.put(key, each, 1);
    const listed: string[] = [];
    const images: string[] = [];
    for (let last: string | undefined, more = true; more; more = last !== undefined) {
      const page = await repositories.list({ limit: 2, last });
      listed.push(...page.items.map(({ key }) => `${key.upstream} ${key.name}`));
      last = page.next;
    }
    for (let last: string | undefined, more = true; more; more = last !== undefined) {
      const page = await repositories.images({ limit: 3, last }, 'docker.io/');
      images.push(...page.items.map(({ key, digest }) => `${key.upstream} ${digest}`));
      last = page.next;
    }
    assert.equal(listed.length, 4);
    assert.equal(new Set(listed).size, 4);
    assert.equal(images.length, 4);
    assert.equal(new Set(images).size, 4);
  });

  test('the digests that a repository holds are told, up to a limit', async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    for (const each of [one, two]) await manifests.put(redis, each, 1);
    const digests = await repositories.manifests(redis, 10);
    assert.deepEqual([...digests].sort(), [one.digest, two.digest].sort());
    assert.equal((await repositories.manifests(redis, 1)).length, 1);
    assert.deepEqual(await repositories.manifests(etcd, 10), []);
  });

  test('statistics count what is there now', async () => {
    await using subject = await make();
    const { manifests, tags, repositories } = subject.index;
    await hold(subject.index, redis, one, 1);
    await manifests.put(etcd, one, 1);
    await tags.point(redis, latest, one.digest, 1);
    await tags.see(redis, tag('seen'), two, 1);
    assert.deepEqual(await repositories.statistics(), {
      repositories: 2,
      manifests: 2,
      tags: 1,
      blobs: 2,
      heldBytes: 510,
    });
    await manifests.remove(redis, one.digest);
    assert.deepEqual(await repositories.statistics(), {
      repositories: 1,
      manifests: 1,
      tags: 0,
      blobs: 2,
      heldBytes: 510,
    });
  });

  test('statistics count what is pushed, and once what is cached as well', async () => {
    await using subject = await make();
    const { blobs, keeping, repositories } = subject.index;
    const heldBytes = async () => (await repositories.statistics()).heldBytes;
    const pushed = blob('pushed', 3);
    await hold(subject.index, redis, one, 1);
    await addBlob(subject.index, app, layer);
    assert.deepEqual([await heldBytes(), await keeping.cachedBytes()], [510, 10]);
    await addBlob(subject.index, app, pushed);
    assert.deepEqual([await heldBytes(), await keeping.cachedBytes()], [513, 10]);
    await blobs.forget(layer.digest);
    assert.deepEqual([await heldBytes(), await keeping.cachedBytes()], [13, 10]);
  });
}
