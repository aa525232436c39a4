import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { app, latest, repository, tag, takeLease } from '../../test/contracts/index-fixtures.ts';
import { readLinkTree } from '../../test/support/link-tree.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import { one, other, push, scene, two } from './testing.ts';

describe('what is hosted', () => {
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
    assert.deepEqual([...new Set(written)], [other.name, 'last']);
    assert.equal(written.filter((name) => name === other.name).length, many.length + 2, 'its tags, manifest and layer');
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
});
