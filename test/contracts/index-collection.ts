import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index } from '../../src/index/contract.ts';
import { touchGrainMs } from '../../src/index/collection-contract.ts';
import type { Digest } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/manifest.ts';
import {
  addBlob,
  app,
  blob,
  digests,
  hold,
  image,
  imageIndex,
  latest,
  plain,
  redis,
  repository,
  takeLease,
  upload,
} from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const other = repository(undefined, 'local/other');
const [config, layer] = [blob('config', 10), blob('layer', 500)];
const pushed = image([config, layer]);

/** Pages of one, so that each boundary is met; first on a copy, which has to tell the same. */
async function collected(index: Index, beforeMs: number): Promise<readonly Digest[]> {
  const tried = await index.collection.rehearse();
  const announced = await collectAll(tried, beforeMs);
  await tried[Symbol.asyncDispose]();
  const gone = await collectAll(index, beforeMs);
  assert.deepEqual(announced, gone, 'what was announced is what happened');
  return gone;
}

async function collectAll({ collection }: Index, beforeMs: number): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  for (let after: string | undefined; ;) {
    const { next, blobs } = await collection.collect(beforeMs, { after, limit: 1 });
    gone.push(...blobs.map(({ digest }) => digest));
    if (next === undefined) return gone.toSorted();
    after = next;
  }
}

/** Until a round finds none. */
async function removeUntagged({ collection }: Index, beforeMs: number): Promise<number> {
  let [all, round] = [0, 1];
  while (round > 0) {
    round = 0;
    for (let after: string | undefined; ;) {
      const { next, manifests } = await collection.removeUntagged(beforeMs, { after, limit: 1 });
      round += manifests;
      if (next === undefined) break;
      after = next;
    }
    all += round;
  }
  return all;
}

export function collectionContract(make: MakeIndex): void {
  test('what no manifest of its repository refers to goes when it was not touched since', async () => {
    await using subject = await make();
    const { collection, blobs } = subject.index;
    await addBlob(subject.index, app, config, 10);
    await addBlob(subject.index, app, layer, 20);
    assert.equal(await collection.waiting(10), 2);
    assert.deepEqual(await collected(subject.index, 10), []);
    assert.deepEqual(await collected(subject.index, 11), [config.digest]);
    assert.equal(await blobs.stored(config.digest), undefined);
    assert.equal(await blobs.standing(app, config.digest), 'none');
    assert.deepEqual(await collected(subject.index, 21), [layer.digest]);
    assert.equal(await collection.waiting(0), 0);
  });

  test('what a manifest refers to stays, until that is removed', async () => {
    await using subject = await make();
    const { hosted } = subject.index;
    for (const child of pushed.children) await addBlob(subject.index, app, child);
    const smaller = image([config]);
    for (const manifest of [pushed, smaller]) await hosted.put(app, manifest, plain);
    assert.deepEqual(await collected(subject.index, 100), []);
    await hosted.remove(app, pushed.digest, () => false, 5);
    assert.deepEqual(await collected(subject.index, 100), [layer.digest]);
    await hosted.remove(app, smaller.digest, () => false, 5);
    assert.deepEqual(await collected(subject.index, 100), [config.digest]);
  });

  test('what another repository has stays, hosted or cached', async () => {
    await using subject = await make();
    const { hosted, blobs, keeping } = subject.index;
    await addBlob(subject.index, app, layer);
    await addBlob(subject.index, app, config);
    await hosted.mountBlob(other, app, layer.digest, 50);
    await hold(subject.index, redis, image([config]), 1);
    await blobs.addMember(redis, config.digest, 1);
    assert.deepEqual(await collected(subject.index, 50), []);
    assert.deepEqual([await blobs.stored(layer.digest), await blobs.stored(config.digest)], [500, 10]);
    assert.equal(await blobs.standing(app, layer.digest), 'none');
    assert.equal(await blobs.standing(other, layer.digest), 'member');
    assert.deepEqual(await collected(subject.index, 51), [layer.digest]);
    const [cached] = await keeping.candidates(1);
    assert.ok(cached);
    assert.deepEqual(await keeping.evict(cached), [config.digest], 'it was the cache’s to let go');
  });

  test('whoever hears that a blob is there may rely on it', async () => {
    await using subject = await make();
    const { hosted } = subject.index;
    await addBlob(subject.index, app, layer, 10);
    assert.equal(await hosted.hasBlob(other, layer.digest, 10), false);
    const later = 10 + touchGrainMs;
    assert.equal(await hosted.hasBlob(app, layer.digest, later - 1), true);
    assert.equal(await hosted.hasBlob(app, layer.digest, later), true);
    assert.deepEqual(await collected(subject.index, later), []);
    assert.deepEqual(await collected(subject.index, later + 1), [layer.digest]);
    assert.equal(await hosted.hasBlob(app, layer.digest, later), false);
  });

  test('an upload of the repository that goes on keeps what came before it', async () => {
    await using subject = await make();
    const { uploads } = subject.index;
    await addBlob(subject.index, app, config, 10);
    await addBlob(subject.index, other, layer, 10);
    await uploads.start(app, upload, 'sha256', 30);
    assert.deepEqual(await collected(subject.index, 30), [layer.digest]);
    assert.deepEqual(await collected(subject.index, 31), [config.digest]);
  });

  test('what has left the index is written down until it has left the store as well', async () => {
    await using subject = await make();
    const { collection, hosted, keeping } = subject.index;
    await addBlob(subject.index, app, config);
    await addBlob(subject.index, app, layer);
    await collected(subject.index, 100);
    assert.deepEqual(await collection.discards(undefined, 10), digests([config, layer]));
    const [first, second] = digests([config, layer]);
    assert.ok(first);
    assert.deepEqual(await collection.discards(first, 10), [second]);
    await collection.discarded(first);
    assert.deepEqual(await (await subject.second()).collection.discards(undefined, 10), [second]);
    if (second !== undefined) await collection.discarded(second);
    await addBlob(subject.index, app, layer);
    assert.equal(await hosted.removeBlob(app, layer.digest), 'removed');
    assert.deepEqual(await collection.discards(undefined, 10), [layer.digest], 'deleted by a client');
    await collection.discarded(layer.digest);
    const cached = image([config]);
    await hold(subject.index, redis, cached, 1);
    const [candidate] = await keeping.candidates(1);
    assert.ok(candidate);
    await keeping.evict(candidate);
    assert.deepEqual(await collection.discards(undefined, 10), [config.digest], 'evicted');
  });

  test('a manifest that nothing leads to goes when it was not touched since, with what it listed', async () => {
    await using subject = await make();
    const { hosted, manifests, keeping } = subject.index;
    for (const child of [config, layer]) await addBlob(subject.index, app, child);
    const [one, two] = [image([config]), pushed];
    const index = imageIndex([one, two]);
    const signature = image([config], { subject: index });
    for (const manifest of [one, two, index, signature]) await hosted.put(app, manifest, plain);
    await hosted.put(app, index, { ...plain, tags: [latest] });
    await hold(subject.index, redis, pushed, 1);
    assert.equal(
      await removeUntagged(subject.index, 100),
      0,
      'tags lead to indexes, these to images, subjects to both',
    );
    await hosted.remove(app, latest, () => false, 5);
    await keeping.touch([{ repository: app, digest: index.digest, atMs: 50 }]);
    assert.equal(await removeUntagged(subject.index, 50), 0);
    assert.equal(await removeUntagged(subject.index, 51), 4);
    assert.equal(await manifests.find(app, one.digest), undefined);
    assert.ok(await manifests.find(redis, pushed.digest), 'what is cached is the cache’s to let go');
    assert.deepEqual(await collected(subject.index, 100), [], 'a cached manifest refers to them');
  });

  test('what rests in the store and belongs to nobody goes when it was not found or used since', async () => {
    await using subject = await make();
    const { collection, blobs, adoption } = subject.index;
    for (const [found, atMs] of [
      [config, 10],
      [layer, 20],
    ] as const)
      assert.equal(await find(subject.index, found, atMs), true);
    assert.equal(await collection.waiting(10), 2);
    assert.deepEqual(await collected(subject.index, 10), []);
    assert.deepEqual(await collected(subject.index, 11), [config.digest]);
    assert.equal(await blobs.stored(config.digest), undefined);
    assert.equal(await find(subject.index, config, 30), false, 'its file is about to be deleted');
    await collection.discarded(config.digest);
    assert.equal(await find(subject.index, config, 30), true);
    await blobs.addMember(redis, config.digest, 30);
    const lease = await takeLease(subject.index, 'settle:late', 0);
    await subject.index.leases.forget(lease);
    assert.equal(await adoption.found(blob('late', 1), lease, 1), false, 'whoever was too slow finds nothing');
    assert.deepEqual(await collected(subject.index, 1_000), [layer.digest]);
    assert.equal(await blobs.stored(config.digest), 10, 'it is the cache’s by now');
  });

  test('what gains an owner after it was found is his, and what loses its last one by the links is nobody’s', async () => {
    await using subject = await make();
    const { hosted, adoption, keeping } = subject.index;
    for (const found of [config, layer, pushed]) await find(subject.index, found, 10);
    for (const child of pushed.children) await addBlob(subject.index, app, child);
    await hosted.put(app, pushed, plain);
    await hold(subject.index, redis, image([config]), 1);
    assert.deepEqual(await collected(subject.index, 1_000), []);
    const { changes } = await adoption.standing(app);
    const none = new Set<string>();
    const rest = { layers: none, manifests: none, tags: none, fingerprint: undefined };
    const nothing = { blobs: [], keepBlobs: false, manifests: [], tags: [], rest };
    assert.equal(await adoption.adopt(app, nothing, changes, 500), true);
    assert.deepEqual(await collected(subject.index, 500), [], 'it is nobody’s since then');
    assert.deepEqual(await collected(subject.index, 501), digests([layer, pushed]));
    assert.equal((await keeping.candidates(9)).length, 1);
  });
}

/** As a start that looks through the store. */
async function find(index: Index, { digest, size }: Descriptor, atMs: number): Promise<boolean> {
  const lease = await takeLease(index, `settle:${digest}`, 0);
  const found = await index.adoption.found({ digest, size }, lease, atMs);
  await index.leases.release(lease, '');
  return found;
}
