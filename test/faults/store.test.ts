/** fetching → unstored: the store fails, or may not hold it. That costs the entry, never the answer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withheldBytes } from '../../src/bytes/growth.ts';
import type { PullLine } from '../../src/admin/views.ts';
import { get, together } from '../support/client.ts';
import { makeImage } from '../support/images.ts';
import { promisesMade } from '../support/promises.ts';
import { corrupt } from '../support/upstream-faults.ts';
import { failDelete, failOpen, failReads, failSync, failWrites } from './broken-disk.ts';
import { assertPiece, assertRefused, assertWhole, keptIn, kib, mib, World } from './world.ts';

type Done = Extract<PullLine, { readonly type: 'done' }>;

describe('a disk that is full before the first byte', () => {
  test('costs nobody anything but the entry', async (t) => {
    await using world = await World.start();
    {
      using _full = failOpen(t, 'ENOSPC');
      for (const client of await together(3, () => world.drain())) assertWhole(client, world.blob);
    }
    await world.nothingKept();
    assert.equal(world.entrepot.told('store.failed')[0]?.code, 'ENOSPC');
  });
});

describe('a disk that fills up while a blob arrives', () => {
  for (const code of ['ENOSPC', 'EIO', 'EDQUOT'] as const) {
    test(`(${code}) leaves ten clients with the right bytes, and nothing behind`, async (t) => {
      await using world = await World.start();
      {
        using _broken = failWrites(t, code, mib);
        for (const client of await together(10, () => world.drain())) assertWhole(client, world.blob);
      }
      await world.nothingKept();
      assert.deepEqual(
        world.entrepot.told('store.failed').map((event) => event.code),
        [code],
      );
      assert.equal(world.entrepot.told('download').at(-1)?.step, 'unstored');
    });
  }

  test('at its very end lets nobody complete a body that began with a lie', async (t) => {
    await using world = await World.start();
    using _lie = world.upstream.fault({ path: '/blobs/', times: 1 }, corrupt(mib));
    const gate = world.upstream.gate({ path: '/blobs/', times: 1 }, { at: 3 * mib });
    using client = await world.open();
    await client.read(world.blob.size - withheldBytes);
    await gate.arrived();
    using _full = failWrites(t, 'ENOSPC');
    gate.release();
    await assert.rejects(client.rest(), 'the upstream sends the right bytes now, but it was given a wrong one');
    await world.nothingKept();
  });

  test('is tried again by the next client, and kept when there is room', async (t) => {
    await using world = await World.start();
    {
      using _full = failWrites(t, 'ENOSPC', mib);
      assertWhole(await world.drain(), world.blob);
    }
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('leaves readers of parts with theirs', async (t) => {
    await using world = await World.start();
    using _full = failWrites(t, 'ENOSPC', mib);
    const parts = [
      [0, 99],
      [mib - 10, mib + 9],
      [2 * mib, 2 * mib + 999],
      [world.blob.size - 5, world.blob.size - 1],
    ];
    await Promise.all(
      parts.map(async ([first = 0, last = 0]) => {
        using reading = await world.open({ headers: { range: `bytes=${first}-${last}` } });
        assert.equal(reading.status, 206);
        const body = await reading.rest();
        assert.equal(body.length, last - first + 1);
        assertPiece(body, world.blob, first);
      }),
    );
  });

  test('does not let a lie through: nobody completes a wrong body', async (t) => {
    await using world = await World.start();
    using _full = failWrites(t, 'ENOSPC', mib);
    using _lie = world.upstream.fault({ path: '/blobs/' }, corrupt(2 * mib));
    for (const client of await together(5, () => world.drain())) assertRefused(client);
    await world.nothingKept();
  });

  test('nor one that came ahead and rests on the disk unverified: it is fetched once more', async (t) => {
    await using world = await World.start({ size: 40 * mib });
    const gate = world.upstream.gate({ path: '/blobs/', times: 1 }, { at: 4 * mib });
    using lie = world.upstream.fault({ path: '/blobs/', times: 1 }, corrupt(30 * mib));
    const reading = world.drain();
    await world.upstream.ledger.arrived({ path: '/blobs/' }, 4);
    await gate.arrived();
    await world.entrepot.until('upstream.request', ({ kind }) => kind === 'blob', 3);
    assert.equal(lie.hits, 1);
    using _full = failWrites(t, 'ENOSPC');
    gate.release();
    assertWhole(await reading, world.blob);
  });
});

describe('a disk that does not take what was written', () => {
  test('leaves the clients with the right bytes, and nothing behind', async (t) => {
    await using world = await World.start();
    {
      using _broken = failSync(t, 'EIO');
      for (const client of await together(10, () => world.drain())) assertWhole(client, world.blob);
      await world.entrepot.until('download', ({ step }) => step === 'unstored');
    }
    await world.nothingKept();
    assert.equal(world.entrepot.told('store.failed')[0]?.code, 'EIO');
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('is what an operator hears who had an image fetched', async (t) => {
    await using world = await World.start();
    const image = makeImage({ layers: [world.blob] });
    world.upstream.publish('library/redis:7', image);
    using _broken = failSync(t, 'EIO');
    const { body } = await world.entrepot.admin('POST /v1/pull', { image: 'redis:7' });
    const { type, unkept } = JSON.parse(body.toString().trimEnd().split('\n').at(-1) ?? '') as Done;
    assert.equal(type, 'done');
    assert.deepEqual(
      unkept.map(({ digest }) => digest),
      image.blobs.map(({ digest }) => digest),
    );
    for (const { reason } of unkept) assert.match(reason, /failed with EIO: look at the kernel log/);
  });
});

describe('a disk that does not let go of what an operator has forgotten', () => {
  test('is what he and the log hear, and the next collection deletes it', async (t) => {
    await using world = await World.start();
    const image = makeImage({ layers: [world.blob] });
    world.upstream.publish('library/redis:7', image);
    await world.entrepot.admin('POST /v1/pull', { image: 'redis:7' });
    await world.entrepot.until('adoption.progress', ({ state }) => state === 'done');
    {
      using _broken = failDelete(t, 'EROFS');
      const { status, body } = await world.entrepot.admin('POST /v1/purge', { image: 'redis:7' });
      assert.equal(status, 503);
      assert.match(body.toString(), /failed with EROFS.*; it is forgotten all the same, .* \(entrepot gc\)/);
    }
    const [told, ...others] = world.entrepot.told('store.failed');
    assert.deepEqual([told?.operation, told?.code, others.length], ['delete', 'EROFS', 0]);
    assert.match(told?.message ?? '', /^deleting sha256:[0-9a-f]{64} failed with EROFS: /);
    const [failed] = world.entrepot.told('admin.failed');
    assert.equal(`${failed?.action} ${failed?.target}`, 'purge redis:7');
    assert.equal((await keptIn(world.entrepot.storeDirectory)).length, image.blobs.length);
    await world.entrepot.admin('POST /v1/gc');
    await world.nothingKept();
  });
});

describe('a disk that cannot be read', () => {
  test('is noticed by who reads from it, and costs the entry', async (t) => {
    await using world = await World.start();
    {
      using _broken = failReads(t, 'EIO');
      assertRefused(await world.drain());
    }
    await world.entrepot.until('download', ({ step }) => step === 'stored' || step === 'unstored');
    assertWhole(await world.drain(), world.blob);
  });
});

describe('a disk that cannot be read for a while', () => {
  test('costs a pull that verifies, and nothing that is held', async (t) => {
    await using world = await World.start();
    world.upstream.publish('library/redis:7', makeImage({ layers: [world.blob] }));
    await world.entrepot.admin('POST /v1/pull', { image: 'redis:7' });
    const kept = await keptIn(world.entrepot.storeDirectory);
    {
      using _broken = failReads(t, 'EIO');
      const { body } = await world.entrepot.admin('POST /v1/pull', { image: 'redis:7', verify: 'true' });
      assert.match(body.toString(), /"type":"failed".*failed with EIO: look at the kernel log/);
    }
    assert.deepEqual(await keptIn(world.entrepot.storeDirectory), kept);
    assert.deepEqual(world.entrepot.told('cache.quarantined'), []);
  });
});

describe('a blob that the cache may not hold', () => {
  test('passes through: the clients have it, the store does not', async () => {
    await using world = await World.start({ config: { cache: { size: '1MiB' } } });
    for (const client of await together(3, () => world.drain())) assertWhole(client, world.blob);
    await world.nothingKept();
    assert.equal(world.entrepot.told('download').at(-1)?.step, 'unstored');
  });

  test('gives a client its last byte at the price of one pass', async () => {
    await using world = await World.start({ size: 8 * mib, config: { cache: { size: '1MiB' } } });
    const whole = await promisesMade(async () => assertWhole(await world.drain(), world.blob));
    const last = world.blob.size - 1;
    const made = await promisesMade(async () => {
      const { body } = await get(world.url, { headers: { range: `bytes=${last}-` } });
      assertPiece(body, world.blob, last);
    });
    assert.ok(made < 2 * whole, `${made} promises for a byte, ${whole} for the whole`);
  });

  test('is not verified any less for that', async () => {
    await using world = await World.start({ config: { cache: { size: '1MiB' } } });
    using _lie = world.upstream.fault({ path: '/blobs/' }, corrupt(world.blob.size - 1));
    const client = await world.drain();
    assertRefused(client);
    assert.ok(client.bytes <= world.blob.size - 32 * kib, 'its end was held back');
  });
});
