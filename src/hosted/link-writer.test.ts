import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { app, latest, tag } from '../../test/contracts/index-fixtures.ts';
import { readLinkTree } from '../../test/support/link-tree.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Index } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import type { Manifest } from '../oci/manifest.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import { both, config, one, other, push, scene, two } from './testing.ts';
import type { Scene } from './testing.ts';

function dataOf(dir: TempDir, { digest }: Manifest): Promise<Buffer> {
  const hex = digest.slice(7);
  return readFile(dir.join('docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'));
}

const never = (): boolean => false;

describe('what is hosted', () => {
  test('is written as the files of registry:2, manifests among the blobs', async () => {
    await using at = await scene();
    await push(at.index, app, one, [latest]);
    await push(at.index, other, two, [latest, tag('2')]);
    assert.equal(await at.writer.drain(), true);
    assert.deepEqual(await readLinkTree(at.dir.path), {
      app: {
        layers: one.children.map(({ digest }) => digest).sort(),
        manifests: [one.digest],
        tags: { latest: one.digest },
      },
      'team/nested/app': {
        layers: [config.digest],
        manifests: [two.digest],
        tags: { 2: two.digest, latest: two.digest },
      },
    });
    assert.deepEqual(await dataOf(at.dir, one), Buffer.from(one.bytes));
    assert.equal(await at.index.blobs.stored(one.digest), one.size);
  });

  test('and deleted goes from the tree as well, with the tag of a deleted manifest', async () => {
    await using at = await scene();
    await push(at.index, app, one, [latest, tag('1')]);
    await at.writer.drain();
    await at.index.hosted.remove(app, one.digest, never, 5);
    for (const { digest } of one.children) await at.index.hosted.removeBlob(app, digest);
    await at.writer.drain();
    assert.deepEqual(await readLinkTree(at.dir.path), {});
  });

  test('is written by one process at a time', async () => {
    await using first = await scene();
    await using second = await scene('two', { dir: first.dir });
    await push(first.index, app, one, [latest]);
    const lease = await first.index.leases.acquire('outbox', 'another', 1_000, first.clock.now());
    assert.ok(lease);
    assert.equal(await second.writer.drain(), false);
    assert.deepEqual(await readLinkTree(first.dir.path), {});
    await first.index.leases.release(lease, '');
    assert.equal(await second.writer.drain(), true);
  });

  test('is written at once where the process that wrote it was killed', async () => {
    await using at = await scene();
    await push(at.index, app, two, []);
    for (const key of ['outbox', settlingKeyOf(two.digest)]) {
      assert.ok(await at.index.leases.acquire(key, 'the dead', 60_000, at.clock.now()));
    }
    assert.equal(await at.writer.drain(), true);
    assert.notDeepEqual(await readLinkTree(at.dir.path), {});
  });

  test('waits where somebody is just putting a manifest’s content away', async () => {
    await using at = await scene();
    await push(at.index, app, two, []);
    const lease = await at.index.leases.acquire(`settle:${two.digest}`, 'another', 1_000, at.clock.now());
    assert.ok(lease);
    await at.writer.drain();
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.manifests, []);
    await at.index.leases.release(lease, '');
    await at.writer.drain();
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.manifests, [two.digest]);
  });

  test('and is taken away while its content is written, leaves that to be discarded', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await using at = await scene('one', { dir, store });
    await push(at.index, app, one, []);
    await push(at.index, app, two, []);
    const write = store.writeLinks.bind(store);
    store.writeLinks = async (links) => {
      store.writeLinks = write;
      await write(links);
      await at.index.hosted.remove(app, two.digest, never, 5);
    };
    await at.writer.drain();
    assert.deepEqual(await at.index.collection.discards(undefined, 10), [two.digest]);
    assert.equal(await at.index.blobs.stored(two.digest), undefined);
    assert.equal(await at.index.blobs.stored(one.digest), one.bytes.length);
  });

  test('is written again when that took so long that somebody else has deleted its content meanwhile', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await using at = await scene('one', { dir, store });
    await push(at.index, app, two, []);
    const write = store.writeLinks.bind(store);
    store.writeLinks = async (links) => {
      store.writeLinks = write;
      await write(links);
      // As a collection does that knew the file from before.
      const lease = await at.index.leases.acquire(settlingKeyOf(two.digest), 'another', 1_000, at.clock.now() + 60_001);
      assert.ok(lease);
      await store.delete(two.digest);
      await at.index.leases.forget(lease);
    };
    await at.writer.drain();
    await at.writer.drain();
    assert.deepEqual(await dataOf(dir, two), Buffer.from(two.bytes));
    assert.equal(await at.index.blobs.stored(two.digest), two.bytes.length);
    assert.deepEqual(await at.index.outbox.pending(1), []);
  });

  test('that cannot be written is told, and tried again', async () => {
    await using at = await scene();
    const repositories = at.dir.join('docker/registry/v2/repositories');
    await mkdir(repositories, { recursive: true });
    await writeFile(`${repositories}/app`, 'a file');
    await push(at.index, app, two, [latest]);
    await assert.rejects(at.writer.drain(), { origin: 'store' });
    await at.clock.advance(500);
    await at.writer.drain().catch(() => {});
    assert.deepEqual(
      at.events.map(({ type }) => type),
      ['store.failed'],
    );
    await rm(`${repositories}/app`);
    await at.clock.advance(20_000);
    await at.writer.drain();
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.tags, { latest: two.digest });
  });

  test('in a store that keeps no links is not waited for', async () => {
    await using dir = await TempDir.make();
    await using at = await scene('one', { dir, store: createMemoryStore({ bytesMax: 1_000 }) });
    await push(at.index, app, two, [latest]);
    await at.writer.drain();
    assert.deepEqual(await at.index.outbox.pending(1), []);
  });

  test('is what the tree says, whatever is pushed and deleted in whatever order', async () => {
    await using dir = await TempDir.make();
    await using at = await scene('one', { dir });
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 25, size: 'max' }), async (run) => {
        for (const step of run) await step(at);
        await at.writer.drain();
        assert.deepEqual(await readLinkTree(dir.path), await linkedIn(at.index));
      }),
      { numRuns: 12 },
    );
  });
});

type Step = (at: Scene) => Promise<unknown>;

const anyKey = fc.constantFrom(app, other);
const anyManifest = fc.constantFrom(one, two, both);
const anyTag = fc.constantFrom(latest, tag('1'));

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(anyKey, anyManifest, fc.array(anyTag)).map(
    ([key, manifest, tags]): Step =>
      ({ index }) =>
        push(index, key, manifest, tags),
  ),
  fc
    .tuple(
      anyKey,
      fc.oneof(
        anyTag,
        anyManifest.map(({ digest }) => digest),
      ),
    )
    .map(
      ([key, reference]): Step =>
        ({ index }) =>
          index.hosted.remove(key, reference, never, 5),
    ),
  fc.tuple(anyKey, fc.constantFrom(...one.children)).map(
    ([key, { digest }]): Step =>
      ({ index }) =>
        index.hosted.removeBlob(key, digest),
  ),
  fc.constant<Step>(({ writer }) => writer.drain()),
);

async function linkedIn(index: Index): Promise<object> {
  const all: Record<string, object> = {};
  for (const key of [app, other]) {
    const layers = [];
    for (const { digest } of one.children) {
      if ((await index.blobs.standing(key, digest)) === 'member') layers.push(digest);
    }
    const manifests = await index.repositories.manifests(key, 10);
    const tags: Record<string, string | undefined> = {};
    for (const each of (await index.tags.list(key, { limit: 10, last: undefined })).items) {
      tags[each] = (await index.tags.find(key, each))?.digest;
    }
    if (layers.length + manifests.length > 0)
      all[key.name] = { layers: layers.sort(), manifests: [...manifests].sort(), tags };
  }
  return all;
}
