import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Candidate, Index } from '../../src/index/contract.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import { app, blob, digests, etcd, hold, image, imageIndex, latest, redis, store, tag } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function keepingContract(make: MakeIndex): void {
  const base = blob('base', 1_000);
  const [oneLayer, twoLayer] = [blob('one', 10), blob('two', 200)];
  const one = image([base, oneLayer]);
  const two = image([base, twoLayer]);
  const both = imageIndex([one, two]);

  test('cached bytes are those in the store that are not hosted', async () => {
    await using subject = await make();
    const { keeping, manifests, blobs } = subject.index;
    await hold(subject.index, redis, one, 1);
    assert.equal(await keeping.cachedBytes(), 1_010);
    await hold(subject.index, redis, two, 1);
    assert.equal(await keeping.cachedBytes(), 1_210);
    await manifests.put(app, one, 2);
    assert.equal(await keeping.cachedBytes(), 200);
    await manifests.remove(app, one.digest);
    assert.equal(await keeping.cachedBytes(), 1_210);
    await blobs.addMember(app, base.digest, 3);
    assert.equal(await keeping.cachedBytes(), 210);
    await blobs.forget(twoLayer.digest);
    assert.equal(await keeping.cachedBytes(), 10);
  });

  test('the least recently used goes first, and what the upstream no longer has goes last', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    const three = image([blob('three', 3)]);
    await manifests.put(redis, one, 10);
    await manifests.put(etcd, two, 20);
    await manifests.put(redis, three, 30);
    await manifests.mark(redis, one.digest, true);
    assert.deepEqual(await order(subject.index), [two.digest, three.digest, one.digest]);
    await keeping.touch([{ repository: etcd, digest: two.digest, atMs: 40 }]);
    assert.deepEqual(await order(subject.index), [three.digest, two.digest, one.digest]);
    await manifests.mark(redis, one.digest, false);
    assert.deepEqual(await order(subject.index), [one.digest, three.digest, two.digest]);
    assert.deepEqual(
      (await keeping.candidates(2)).map(({ manifest }) => manifest),
      [one.digest, three.digest],
    );
  });

  test('a use never makes anything older', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    await manifests.put(redis, one, 10);
    await keeping.touch([{ repository: redis, digest: one.digest, atMs: 5 }]);
    assert.equal((await keeping.candidates(1))[0]?.lastUsedMs, 10);
  });

  test('a used blob keeps its image and the index above it, in that repository alone', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    for (const key of [redis, etcd]) for (const each of [both, one, two]) await manifests.put(key, each, 1);
    await keeping.touch([{ repository: redis, digest: oneLayer.digest, atMs: 9 }]);
    const used = (await keeping.candidates(100)).filter(({ lastUsedMs }) => lastUsedMs === 9);
    assert.deepEqual(new Set(used.map(({ manifest }) => manifest)), new Set([both.digest, one.digest]));
    assert.equal(used.length, 2);
    assert.ok(used.every(({ repository }) => repository?.name === redis.name));
  });

  test('an index that counts as gone takes what it lists with it to the end', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    for (const each of [both, one, two]) await manifests.put(redis, each, 1);
    await manifests.put(etcd, two, 99);
    await manifests.mark(redis, both.digest, true);
    const [first, ...rest] = await keeping.candidates(100);
    assert.deepEqual([first?.repository, first?.gone], [etcd, false]);
    assert.deepEqual(
      rest.map(({ gone }) => gone),
      [true, true, true],
    );
    await manifests.remove(redis, both.digest);
    assert.ok((await keeping.candidates(100)).every(({ gone }) => !gone));
  });

  test('hosted manifests and blobs are never chosen', async () => {
    await using subject = await make();
    const { keeping, blobs } = subject.index;
    await hold(subject.index, app, one, 1);
    await store(subject.index, twoLayer, 1);
    await blobs.addMember(app, twoLayer.digest, 1);
    assert.deepEqual(await keeping.candidates(100), []);
  });

  test('a blob that no manifest refers to is chosen by its own last use', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    await store(subject.index, oneLayer, 5);
    await store(subject.index, twoLayer, 3);
    await manifests.put(redis, image([blob('config', 1)]), 4);
    const chosen = await keeping.candidates(100);
    assert.deepEqual(
      chosen.map(({ blob: loose }) => loose),
      [twoLayer.digest, undefined, oneLayer.digest],
    );
    await keeping.touch([{ repository: redis, digest: twoLayer.digest, atMs: 6 }]);
    assert.deepEqual((await keeping.candidates(1))[0]?.lastUsedMs, 4);
    assert.deepEqual(await keeping.evict(chosen[2] as Candidate), [oneLayer.digest]);
    assert.equal(await subject.index.blobs.stored(oneLayer.digest), undefined);
  });

  test('evicting an image drops the blobs that only it refers to, and forgets all about them', async () => {
    await using subject = await make();
    const { keeping, manifests, blobs, tags } = subject.index;
    await hold(subject.index, redis, one, 1);
    await hold(subject.index, etcd, two, 2);
    await tags.point(redis, latest, one.digest, 1);
    await blobs.addMember(redis, oneLayer.digest, 1);
    assert.deepEqual(await keeping.evict(candidateOf(redis, one.digest)), [oneLayer.digest]);
    assert.equal(await manifests.find(redis, one.digest), undefined);
    assert.equal(await tags.find(redis, latest), undefined);
    assert.equal(await blobs.stored(oneLayer.digest), undefined);
    assert.equal(await blobs.standing(redis, oneLayer.digest), 'none');
    assert.equal(await blobs.stored(base.digest), base.size);
    assert.deepEqual([...(await keeping.evict(candidateOf(etcd, two.digest)))].sort(), digests([base, twoLayer]));
    assert.equal(await keeping.cachedBytes(), 0);
    assert.deepEqual(await keeping.evict(candidateOf(etcd, two.digest)), []);
  });

  test('a blob stays while a hosted repository has it', async () => {
    await using subject = await make();
    const { keeping, manifests } = subject.index;
    await hold(subject.index, redis, one, 1);
    await manifests.put(app, image([base]), 1);
    assert.deepEqual(await keeping.evict(candidateOf(redis, one.digest)), [oneLayer.digest]);
  });

  test('what was used or pinned since it was chosen is left alone', async () => {
    await using subject = await make();
    const { keeping, manifests, tags } = subject.index;
    await hold(subject.index, redis, one, 1);
    await hold(subject.index, redis, two, 1);
    await store(subject.index, blob('loose', 1), 1);
    await tags.point(redis, latest, two.digest, 1);
    const chosen = await keeping.candidates(100);
    const uses = [one.digest, blob('loose', 1).digest].map((digest) => ({ repository: redis, digest, atMs: 2 }));
    await keeping.touch(uses);
    await subject.index.pins.pin('docker.io/library/redis:latest');
    for (const candidate of chosen) assert.deepEqual(await keeping.evict(candidate), []);
    assert.equal((await subject.index.repositories.statistics()).blobs, 4);
    assert.ok(await manifests.find(redis, one.digest));
  });

  test('what is purged by hand takes the children along that nothing else refers to', async () => {
    await using subject = await make();
    const { keeping, manifests, tags } = subject.index;
    const alone = imageIndex([one]);
    for (const manifest of [one, two]) await hold(subject.index, redis, manifest, 1);
    for (const manifest of [both, alone]) await manifests.put(redis, manifest, 1);
    assert.deepEqual(await keeping.evict(candidateOf(redis, both.digest)), [twoLayer.digest]);
    assert.equal(await manifests.find(redis, two.digest), undefined);
    assert.ok(await manifests.find(redis, one.digest));
    await tags.point(redis, latest, one.digest, 1);
    assert.deepEqual(await keeping.evict(candidateOf(redis, alone.digest)), []);
    assert.ok(await manifests.find(redis, one.digest));
  });

  pinning(make);
}

function pinning(make: MakeIndex): void {
  const one = image([blob('one', 10)]);
  const two = image([blob('two', 20)]);
  const both = imageIndex([one, two]);

  test('a pinned tag keeps its index and all that it lists, also what is put later', async () => {
    await using subject = await make();
    const { pins, manifests, tags } = subject.index;
    await manifests.put(redis, both, 1);
    await manifests.put(redis, one, 1);
    await tags.point(redis, tag('7'), both.digest, 1);
    await pins.pin('docker.io/library/redis:7*');
    await manifests.put(redis, two, 1);
    await manifests.put(etcd, two, 1);
    assert.deepEqual(await order(subject.index), [two.digest]);
    const rows = (await subject.index.repositories.images({ limit: 10, last: undefined }, 'docker.io/')).items;
    assert.deepEqual(
      rows.map(({ pinned }) => pinned),
      [true, true, true],
    );
    assert.equal(await pins.unpin('docker.io/library/redis:7*'), true);
    assert.equal(await pins.unpin('docker.io/library/redis:7*'), false);
    assert.equal((await order(subject.index)).length, 4);
  });

  test('a pin follows its tag', async () => {
    await using subject = await make();
    const { pins, manifests, tags } = subject.index;
    await pins.pin('docker.io/library/redis:latest');
    for (const each of [one, two]) await manifests.put(redis, each, 1);
    await tags.point(redis, latest, one.digest, 1);
    assert.deepEqual(await order(subject.index), [two.digest]);
    await tags.point(redis, latest, two.digest, 2);
    assert.deepEqual(await order(subject.index), [one.digest]);
    await tags.see(redis, latest, both, 3);
    await manifests.put(redis, both, 4);
    assert.deepEqual(await order(subject.index), []);
    await tags.remove(redis, latest);
    assert.equal((await order(subject.index)).length, 3);
  });

  const meanings: readonly (readonly [pin: string, keeps: boolean])[] = [
    ['docker.io/library/redis', true],
    ['docker.io/library/redis:*', true],
    ['docker.io/library/*:latest', true],
    ['docker.io/**', true],
    ['**:latest', true],
    ['**/redis', true],
    ['*/library/red?s:l[a-z]*', true],
    ['docker.io/library/{postgres,redis}:latest', true],
    ['{docker.io/library/redis:latest,quay.io/x:y}', true],
    [`docker.io/library/redis@${one.digest}`, true],
    ['docker.io/library/redis@sha256:*', true],
    ['docker.io/*', false],
    ['docker.io/library/redi', false],
    ['docker.io/library/redis:late', false],
    ['docker.io/library/redis:latest*x', false],
    ['quay.io/**', false],
    [`docker.io/library/redis@${two.digest}`, false],
    ['library/redis:latest', false],
    ['.*', false],
  ];
  for (const [pattern, keeps] of meanings) {
    test(`the pin ${pattern.slice(0, 50)} ${keeps ? 'keeps' : 'does not keep'} docker.io/library/redis:latest`, async () => {
      await using subject = await make();
      const { pins, manifests, tags } = subject.index;
      await manifests.put(redis, one, 1);
      await tags.point(redis, latest, one.digest, 1);
      await pins.pin(pattern);
      assert.deepEqual(await order(subject.index), keeps ? [] : [one.digest]);
      await pins.unpin(pattern);
      assert.deepEqual(await order(subject.index), [one.digest]);
      await pins.pin(pattern);
      await manifests.remove(redis, one.digest);
      await manifests.put(redis, one, 2);
      await tags.point(redis, latest, one.digest, 2);
      assert.deepEqual(await order(subject.index), keeps ? [] : [one.digest]);
    });
  }

  test('pins are listed as they were given, once each', async () => {
    await using subject = await make();
    const { pins } = subject.index;
    for (const pattern of ['b:*', 'a', 'b:*']) await pins.pin(pattern);
    assert.deepEqual(await pins.list(), ['a', 'b:*']);
  });

  test('what the configuration pins is replaced as a whole, and is none of the operator’s pins', async () => {
    await using subject = await make();
    const { pins, manifests, tags } = subject.index;
    await manifests.put(redis, one, 1);
    await tags.point(redis, latest, one.digest, 1);
    await pins.configure(['docker.io/library/redis:latest', 'x:*']);
    assert.deepEqual(await order(subject.index), []);
    assert.deepEqual(await pins.list(), []);
    await pins.pin('x:*');
    await pins.configure(['x:*']);
    assert.deepEqual(await order(subject.index), [one.digest]);
    assert.equal(await pins.unpin('docker.io/library/redis:latest'), false);
    assert.deepEqual(await pins.list(), ['x:*']);
  });

  test('a pin that is empty or longer than 512 characters is refused', async () => {
    await using subject = await make();
    const { pins } = subject.index;
    await pins.pin('a'.repeat(512));
    for (const pattern of ['', 'a'.repeat(513)]) await assert.rejects(pins.pin(pattern), { code: 'REQUEST_INVALID' });
    assert.equal((await pins.list()).length, 1);
  });
}

/** Manifests in the order in which they would be evicted. */
async function order(index: Index): Promise<readonly (Digest | undefined)[]> {
  return (await index.keeping.candidates(100)).map(({ manifest }) => manifest);
}

function candidateOf(repository: RepositoryKey, manifest: Digest): Candidate {
  return { repository, manifest, blob: undefined, lastUsedMs: 0, gone: false };
}
