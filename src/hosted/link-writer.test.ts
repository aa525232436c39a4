import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import * as fc from 'fast-check';
import {
  app,
  blob,
  image,
  imageIndex,
  latest,
  repository,
  tag,
  takeLease,
} from '../../test/contracts/index-fixtures.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { readLinkTree } from '../../test/support/link-tree.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Index } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Event } from '../observe/events.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { parseUploadId } from '../oci/upload.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import { LinkWriter } from './link-writer.ts';

const upload = parseUploadId('0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e');
const other = repository(undefined, 'team/nested/app');
const config = blob('config', 10);
const [one, two] = [image([config, blob('layer', 500)]), image([config])];
const both = imageIndex([one, two]);

interface Scene extends AsyncDisposable {
  readonly dir: TempDir;
  readonly index: Index;
  readonly clock: FakeClock;
  readonly events: Event[];
  readonly writer: LinkWriter;
}

async function scene(holder = 'one', given?: { readonly dir: TempDir; readonly store?: BlobStore }): Promise<Scene> {
  const dir = given?.dir ?? (await TempDir.make());
  const store = given?.store ?? (await openFilesystemStore({ root: dir.path }));
  const index = await openSqliteIndex({ path: dir.join('entrepot', 'index.db') });
  const clock = new FakeClock();
  const events: Event[] = [];
  const observer = { emit: (event: Event): unknown => events.push(event) };
  const isGone = (process: string): boolean => process === 'the dead';
  const writer = new LinkWriter({ store, index, clock, observer, holder, isGone });
  const end = async (): Promise<void> => {
    await writer[Symbol.asyncDispose]();
    await index[Symbol.asyncDispose]();
    if (given === undefined) await dir[Symbol.asyncDispose]();
  };
  return { dir, index, clock, events, writer, [Symbol.asyncDispose]: end };
}

async function push(index: Index, key: RepositoryKey, manifest: Manifest, tags: readonly Tag[]): Promise<void> {
  for (const { digest, size, kind } of manifest.children) {
    if (kind === 'manifest') continue;
    const lease = await takeLease(index, `settle:${digest}`, 0);
    await index.hosted.addBlob(key, { digest, size, upload }, lease, 1);
    await index.leases.release(lease, '');
  }
  await index.hosted.put(key, manifest, { tags, isImmutable: () => false, sparse: true, atMs: 1 });
}

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

  test('is written by itself within a second, when nothing else is pushed', async () => {
    await using at = await scene();
    await push(at.index, app, two, [latest]);
    await at.clock.advance(1_000);
    while ((await at.index.outbox.pending(1)).length > 0) await nextTurn();
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.tags, { latest: two.digest });
  });

  test('is not written while more is pushed, but after five seconds it is', async () => {
    await using at = await scene();
    await at.clock.advance(1_000);
    for (let ms = 0; ms < 5_000; ms += 200) {
      assert.deepEqual(await readLinkTree(at.dir.path), {}, `after ${ms} ms`);
      await push(at.index, app, two, [tag(`t${ms}`)]);
      await takeLease(at.index, `use ${ms}`, 0);
      await at.clock.advance(200);
    }
    while ((await at.index.outbox.pending(1)).length > 0) await nextTurn();
    assert.equal(Object.keys((await readLinkTree(at.dir.path))['app']?.tags ?? {}).length, 25);
  });

  test('is put off by nothing but what is hosted', async () => {
    await using at = await scene();
    await at.clock.advance(1_000);
    await push(at.index, app, two, [latest]);
    for (let ms = 0; ms < 500; ms += 100) {
      await takeLease(at.index, `use ${ms}`, 0);
      await at.clock.advance(100);
    }
    while ((await at.index.outbox.pending(1)).length > 0) await nextTurn();
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.tags, { latest: two.digest });
  });

  test('in a repository that somebody waits for is written before all else, each in its turn', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await using at = await scene('one', { dir, store });
    const many = Array.from({ length: 600 }, (_, nth) => tag(`t${nth}`));
    await push(at.index, app, one, many);
    await push(at.index, other, two, many);
    const last = repository(undefined, 'last');
    await push(at.index, last, two, [latest]);
    const written: string[] = [];
    store.writeLinks = async (links) => {
      written.push(...links.map((link) => link.repository));
    };
    const all = at.writer.drain();
    const asked = [other, last].map((key) => at.writer.drain(key));
    assert.deepEqual(await Promise.all(asked), [true, true]);
    assert.deepEqual([...new Set(written)], ['app', other.name, 'last']);
    assert.equal(written.filter((name) => name === other.name).length, many.length + 2, 'its tags, manifest and layer');
    assert.ok(written.filter((name) => name === 'app').length < many.length);
    assert.ok(written.lastIndexOf(other.name) > written.lastIndexOf('last'));
    assert.equal(await all, true);
    assert.deepEqual(await at.index.outbox.pending(1), []);
    assert.equal(await at.writer.drain(app), true, 'where nothing is to be written');
  });

  test('in a repository that somebody waits for is not said to be written while a part of it is somebody else’s', async () => {
    await using at = await scene();
    await push(at.index, app, one, [latest]);
    const lease = await at.index.leases.acquire(settlingKeyOf(one.digest), 'another', 1_000, at.clock.now());
    assert.ok(lease);
    assert.equal(await at.writer.drain(app), false);
    await at.index.leases.release(lease, '');
    assert.equal(await at.writer.drain(app), true);
    assert.deepEqual((await readLinkTree(at.dir.path))['app']?.manifests, [one.digest]);
  });

  test('is written before the process ends', async () => {
    await using dir = await TempDir.make();
    {
      await using at = await scene('one', { dir });
      await push(at.index, app, two, [latest]);
    }
    assert.deepEqual((await readLinkTree(dir.path))['app']?.tags, { latest: two.digest });
  });

  test('in great number is written for a while as the process ends, and goes on with the next', async () => {
    await using dir = await TempDir.make();
    const tags = Array.from({ length: 300 }, (_, nth) => tag(`t${nth}`));
    const store = await openFilesystemStore({ root: dir.path });
    {
      await using at = await scene('one', { dir, store });
      const write = store.writeLinks.bind(store);
      store.writeLinks = async (links) => {
        await write(links);
        await at.clock.advance(6_000);
      };
      await push(at.index, app, two, tags);
    }
    const written = Object.keys((await readLinkTree(dir.path))['app']?.tags ?? {}).length;
    assert.ok(written > 0 && written < tags.length, `${written} are written`);
    {
      await using at = await scene('two', { dir });
      assert.equal(await at.writer.drain(), true);
    }
    assert.equal(Object.keys((await readLinkTree(dir.path))['app']?.tags ?? {}).length, tags.length);
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
