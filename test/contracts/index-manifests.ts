import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseManifest } from '../../src/oci/manifest.ts';
import { mediaTypes } from '../../src/oci/media-types.ts';
import { app, blob, etcd, hold, image, imageIndex, latest, redis } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

export function manifestsContract(make: MakeIndex): void {
  const config = blob('config', 10);
  const layer = blob('layer', 500);
  const held = image([config, layer]);

  test('a manifest is held by the repository it was put into, byte for byte, and by no other', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    assert.equal(await manifests.find(redis, held.digest), undefined);
    await manifests.put(redis, held, 7);
    const found = await manifests.find(redis, held.digest);
    assert.deepEqual(found && Buffer.from(found.bytes), held.bytes);
    assert.deepEqual(
      { ...found, bytes: undefined },
      { digest: held.digest, size: held.size, mediaType: held.mediaType, storedAtMs: 7, bytes: undefined },
    );
    assert.equal(await manifests.find(etcd, held.digest), undefined);
    assert.equal(await manifests.find(app, held.digest), undefined);
  });

  test('a hosted repository and one of an upstream are two, also under one name', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    await manifests.put({ ...redis, upstream: undefined }, held, 1);
    assert.equal(await manifests.find(redis, held.digest), undefined);
  });

  test('putting a manifest again changes nothing but that it is there upstream', async () => {
    await using subject = await make();
    const { manifests, repositories } = subject.index;
    await manifests.put(redis, held, 1);
    await manifests.mark(redis, held.digest, true);
    await manifests.put(redis, held, 5);
    assert.equal((await manifests.find(redis, held.digest))?.storedAtMs, 1);
    const [row] = (await repositories.images({ limit: 2, last: undefined }, '')).items;
    assert.deepEqual([row?.gone, row?.lastUsedMs], [false, 5]);
    assert.equal((await repositories.statistics()).manifests, 1);
  });

  test('what a held manifest says of its children is known, to its own repository alone', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    await manifests.put(redis, held, 1);
    assert.deepEqual(await manifests.described(redis, layer.digest), layer);
    assert.deepEqual(await manifests.described(redis, config.digest), config);
    assert.equal(await manifests.described(redis, held.digest), undefined);
    assert.equal(await manifests.described(etcd, layer.digest), undefined);
    await manifests.remove(redis, held.digest);
    assert.equal(await manifests.described(redis, layer.digest), undefined);
  });

  test('of a blob that manifests describe differently nothing is said', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    const lying = image([config, { ...layer, size: layer.size + 1 }]);
    for (const manifest of [held, lying]) await manifests.put(redis, manifest, 1);
    assert.equal(await manifests.described(redis, layer.digest), undefined);
    assert.deepEqual(await manifests.described(redis, config.digest), config, 'they agree about this one');
    await manifests.remove(redis, lying.digest);
    assert.deepEqual(await manifests.described(redis, layer.digest), layer);
  });

  test('a manifest whose children repeat, or that has none, is held like any other', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    const twice = image([config, layer, layer]);
    const none = imageIndex([]);
    await manifests.put(redis, twice, 1);
    await manifests.put(redis, none, 1);
    assert.deepEqual(await manifests.described(redis, layer.digest), layer);
    assert.equal((await manifests.find(redis, none.digest))?.size, none.size);
  });

  test('a sha512 manifest is held under that digest', async () => {
    await using subject = await make();
    const { createHash } = await import('node:crypto');
    const digest = `sha512:${createHash('sha512').update(held.bytes).digest('hex')}`;
    const wide = parseManifest(held.bytes, held.mediaType, digest as typeof held.digest);
    await subject.index.manifests.put(redis, wide, 1);
    assert.equal((await subject.index.manifests.find(redis, wide.digest))?.digest, digest);
    assert.equal(await subject.index.manifests.find(redis, held.digest), undefined);
  });

  test('referrers are those that the repository holds, with type and annotations, in the order of digests', async () => {
    await using subject = await make();
    const { manifests } = subject.index;
    const annotations = { 'org.opencontainers.image.created': '2030-01-01' };
    const signature = image([blob('s', 1)], { subject: held, artifactType: 'application/x.signature', annotations });
    const sbom = image([blob('b', 1)], { subject: held });
    await manifests.put(redis, signature, 1);
    await manifests.put(redis, sbom, 1);
    const listed = await manifests.referrers(redis, held.digest);
    assert.deepEqual(
      listed.map(({ digest }) => digest),
      [signature.digest, sbom.digest].sort(),
    );
    assert.deepEqual(
      listed.find(({ digest }) => digest === signature.digest),
      {
        digest: signature.digest,
        size: signature.size,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'application/x.signature',
        annotations,
      },
    );
    assert.deepEqual(await manifests.referrers(etcd, held.digest), []);
    await manifests.remove(redis, sbom.digest);
    assert.deepEqual((await manifests.referrers(redis, held.digest)).length, 1);
  });

  test('removing a manifest removes its tags, and leaves what other repositories hold', async () => {
    await using subject = await make();
    const { manifests, tags } = subject.index;
    await manifests.put(redis, held, 1);
    await manifests.put(app, held, 1);
    await tags.point(redis, latest, held.digest, 1);
    assert.equal(await manifests.remove(redis, held.digest), true);
    assert.equal(await manifests.remove(redis, held.digest), false);
    assert.equal(await tags.find(redis, latest), undefined);
    assert.equal((await manifests.find(app, held.digest))?.size, held.size);
  });

  test('removing a manifest leaves its blobs in the store', async () => {
    await using subject = await make();
    await hold(subject.index, redis, held, 1);
    await subject.index.manifests.remove(redis, held.digest);
    assert.equal(await subject.index.blobs.stored(layer.digest), layer.size);
  });
}
