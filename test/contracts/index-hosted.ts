import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index } from '../../src/index/contract.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import type { Manifest } from '../../src/oci/manifest.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import {
  addBlob,
  app,
  blob,
  image,
  imageIndex,
  latest,
  plain,
  redis,
  repository,
  store,
  tag,
  takeLease,
  upload,
} from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const other = repository(undefined, 'local/other');
const [config, layer] = [blob('config', 10), blob('layer', 500)];
const pushed = image([config, layer]);
const later = image([config]);

async function addImage(index: Index, key: RepositoryKey, manifest: Manifest, push = plain): Promise<void> {
  for (const child of manifest.children) await addBlob(index, key, child);
  await index.hosted.put(key, manifest, push);
}

export function hostedContract(make: MakeIndex): void {
  test('a blob belongs to the repository that it was uploaded to, and ends its upload', async () => {
    await using subject = await make();
    const { hosted, blobs, uploads } = subject.index;
    await uploads.start(app, upload, 'sha256', 1);
    await addBlob(subject.index, app, layer);
    assert.equal(await blobs.standing(app, layer.digest), 'member');
    assert.equal(await blobs.standing(other, layer.digest), 'none');
    assert.equal(await blobs.stored(layer.digest), 500);
    assert.equal(await uploads.find(app, upload), undefined);
    const stale = await takeLease(subject.index, 'settle', 0);
    const newer = await subject.index.leases.acquire('settle', 'other', 1_000, 5_000);
    assert.ok(newer);
    assert.equal(await hosted.addBlob(other, { ...layer, upload }, stale, 1), false);
    assert.equal(await blobs.standing(other, layer.digest), 'none');
  });

  test('what a hosted repository has is hosted content, whoever else has it', async () => {
    await using subject = await make();
    const { hosted, blobs } = subject.index;
    assert.equal(await hosted.holds(layer.digest), false);
    await blobs.addMember(redis, layer.digest, 1);
    await store(subject.index, layer, 1);
    assert.equal(await hosted.holds(layer.digest), false);
    await addImage(subject.index, app, pushed);
    for (const { digest } of [pushed, config, layer]) assert.equal(await hosted.holds(digest), true);
    await hosted.remove(app, pushed.digest, () => false, 1);
    assert.equal(await hosted.removeBlob(app, layer.digest), 'removed');
    for (const { digest } of [pushed, layer]) assert.equal(await hosted.holds(digest), false);
  });

  test('a manifest is let in when all that it needs is in its own repository', async () => {
    await using subject = await make();
    const { hosted, manifests } = subject.index;
    const refused = { code: 'MANIFEST_BLOB_UNKNOWN', detail: { missing: [layer.digest] } };
    await addBlob(subject.index, app, config);
    await addBlob(subject.index, other, layer);
    await store(subject.index, layer, 1);
    await assert.rejects(hosted.put(app, pushed, plain), refused);
    assert.equal(await manifests.find(app, pushed.digest), undefined);
    await addBlob(subject.index, app, layer);
    await hosted.put(app, pushed, plain);
    assert.deepEqual(Buffer.from((await manifests.find(app, pushed.digest))?.bytes ?? []), pushed.bytes);
    const index = imageIndex([pushed, layer]);
    await hosted.put(app, index, plain);
    await assert.rejects(hosted.put(other, index, plain), { code: 'MANIFEST_BLOB_UNKNOWN' });
    await hosted.put(other, index, { ...plain, sparse: true });
  });

  test('a layer that nobody may hand on need not be there', async () => {
    await using subject = await make();
    const foreign = { ...layer, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' };
    await addBlob(subject.index, app, config);
    await subject.index.hosted.put(app, image([config, foreign]), plain);
  });

  test('a manifest comes with its tags, or not at all', async () => {
    await using subject = await make();
    const { hosted, tags, manifests } = subject.index;
    await addImage(subject.index, app, pushed, { ...plain, tags: [latest, tag('v1')] });
    const isImmutable = (name: string): boolean => name === 'v1';
    const push = { ...plain, tags: [latest, tag('v1')], isImmutable };
    await assert.rejects(hosted.put(app, later, push), { code: 'TAG_IMMUTABLE' });
    assert.equal(await manifests.find(app, later.digest), undefined);
    assert.equal((await tags.find(app, latest))?.digest, pushed.digest);
    await hosted.put(app, pushed, push);
    await hosted.put(app, later, { ...push, tags: [latest] });
    assert.equal((await tags.find(app, latest))?.digest, later.digest);
  });

  test('a deleted manifest takes its tags along, a deleted tag nothing', async () => {
    await using subject = await make();
    const { hosted, tags, manifests } = subject.index;
    await addImage(subject.index, app, pushed, { ...plain, tags: [latest, tag('v1')] });
    const never = (): boolean => false;
    assert.equal(await hosted.remove(app, tag('v1'), never, 5), true);
    assert.equal(await hosted.remove(app, tag('v1'), never, 5), false);
    assert.ok(await manifests.find(app, pushed.digest));
    await assert.rejects(
      hosted.remove(app, pushed.digest, () => true, 5),
      { code: 'TAG_IMMUTABLE' },
    );
    assert.equal(await hosted.remove(app, pushed.digest, never, 5), true);
    assert.equal(await hosted.remove(app, pushed.digest, never, 5), false);
    assert.equal(await tags.find(app, latest), undefined);
  });

  test('a blob is mounted from who has earned it, as long as it rests in the store', async () => {
    await using subject = await make();
    const { hosted, blobs } = subject.index;
    await addBlob(subject.index, app, layer);
    assert.equal(await hosted.mountBlob(other, redis, layer.digest, 1), false);
    assert.equal(await hosted.mountBlob(other, app, layer.digest, 1), true);
    assert.equal(await blobs.standing(other, layer.digest), 'member');
    await blobs.forget(layer.digest);
    assert.equal(await hosted.mountBlob(redis, app, layer.digest, 1), false);
  });

  test('a blob is deleted from one repository alone, once no manifest there needs it', async () => {
    await using subject = await make();
    const { hosted, blobs, keeping } = subject.index;
    await addImage(subject.index, app, pushed);
    await hosted.mountBlob(other, app, layer.digest, 1);
    assert.equal(await hosted.removeBlob(app, layer.digest), 'needed');
    await hosted.remove(app, pushed.digest, () => false, 5);
    assert.deepEqual(await keeping.candidates(10), [], 'what was pushed is nothing to evict');
    assert.equal(await hosted.removeBlob(app, layer.digest), 'removed');
    assert.equal(await hosted.removeBlob(app, layer.digest), 'absent');
    assert.equal(await blobs.standing(other, layer.digest), 'member');
    assert.equal(await blobs.stored(layer.digest), 500);
  });

  test('what was deleted can be pushed again', async () => {
    await using subject = await make();
    const { hosted, manifests } = subject.index;
    for (let round = 0; round < 3; round += 1) {
      await addImage(subject.index, app, pushed, { ...plain, tags: [latest] });
      assert.ok(await manifests.find(app, pushed.digest));
      await hosted.remove(app, pushed.digest, () => false, 5);
      for (const { digest } of [config, layer]) assert.equal(await hosted.removeBlob(app, digest), 'removed');
    }
  });

  test('a name of one part is claimed by whatever is pushed first, for good', async () => {
    await using subject = await make();
    const { hosted, claims } = subject.index;
    const names = ['app', 'blobs', 'mounts', 'empty'].map((name) => repository(undefined, name));
    const [first, second, third, fourth] = names;
    assert.ok(first && second && third && fourth);
    await addImage(subject.index, first, later);
    await addBlob(subject.index, second, layer);
    await hosted.mountBlob(third, second, layer.digest, 1);
    assert.equal(await hosted.mountBlob(fourth, redis, layer.digest, 1), false);
    await addBlob(subject.index, other, layer);
    assert.deepEqual((await claims.list({ limit: 10, last: undefined })).items, ['app', 'blobs', 'mounts']);
    await hosted.remove(first, later.digest, () => false, 5);
    const again = await subject.second();
    assert.deepEqual([await again.claims.has('app'), await again.claims.has('empty')], [true, false]);
    assert.deepEqual([await claims.release('app'), await claims.release('app')], [true, false]);
    assert.equal(await claims.has('app'), false);
  });

  test('a manifest of somebody’s own media type is kept under it', async () => {
    await using subject = await make();
    const { hosted, manifests } = subject.index;
    const own = { ...later, mediaType: 'application/vnd.example.thing+json', children: [], digest: digestOf('{}') };
    await hosted.put(app, { ...own, bytes: Buffer.from('{}'), size: 2 }, plain);
    assert.equal((await manifests.find(app, own.digest))?.mediaType, own.mediaType);
    assert.notEqual(own.mediaType, mediaTypes.ociManifest);
  });
}
