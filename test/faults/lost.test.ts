/** stored → gone: what was held is evicted, purged, deleted or damaged behind our back. Nobody gets less than the whole. */
import assert from 'node:assert/strict';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { get, head, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeBlob, makeImage } from '../support/images.ts';
import type { Content, Image } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { assertPiece, assertRefused, assertWhole, becomes, keptIn, mib, urlOf, World } from './world.ts';
import { overTime } from '../support/over-time.ts';

const minute = 60_000;

describe('a layer that two repositories share', () => {
  test('is right for the one when the other has expired (distribution#2367, distribution#4191)', async () => {
    const clock = new FakeClock();
    await using upstream = await CountingUpstream.start();
    const layer = makeBlob(mib, 'shared');
    const [a, b] = publishTwo(upstream, layer);
    const config = { proxy: { remoteurl: upstream.origin, ttl: '1h' } };
    await using entrepot = await Entrepot.start({ clock, config });
    await pull(entrepot.origin, 'library/a', '1');
    await entrepot.stored(2);
    await clock.advance(50 * minute);
    await pull(entrepot.origin, 'library/b', '1');
    await entrepot.stored(3);
    const gone = (image: Image): Promise<void> =>
      overTime(
        clock,
        entrepot.until('cache.evicted', ({ digest }) => digest === image.digest),
        minute,
      );
    await gone(a);
    upstream.reset();
    await pull(entrepot.origin, 'library/b', b.digest);
    assert.equal(upstream.count({ path: '/blobs/' }), 0);
    await gone(b);
    await becomes([], () => keptIn(entrepot.storeDirectory));
    for (const name of ['library/b', 'library/a']) await pull(entrepot.origin, name, '1');
    assert.equal(upstream.blobBytes(layer.digest).sent, layer.size);
  });

  test('stays while one of them refers to it, and is fetched again after both are gone', async () => {
    await using world = await World.start();
    publishTwo(world.upstream, world.blob);
    const { origin, storeDirectory } = world.entrepot;
    for (const name of ['library/a', 'library/b']) await pull(origin, name, '1', { ns: 'docker.io' });
    await atRest(world);
    world.assertFetchedOnce();
    assert.equal((await world.entrepot.admin('POST /v1/purge', { image: 'docker.io/library/a:1' })).status, 200);
    world.upstream.reset();
    await pull(origin, 'library/b', '1', { ns: 'docker.io' });
    assert.equal(world.sent.sent, 0);
    assert.equal((await world.entrepot.admin('POST /v1/purge', { image: 'docker.io/library/b:1' })).status, 200);
    assert.equal((await keptIn(storeDirectory)).includes(world.blob.digest), false);
    await pull(origin, 'library/b', '1', { ns: 'docker.io' });
    world.assertFetchedOnce();
  });

  test('is read to its end by who reads it while it goes', async () => {
    await using world = await World.start({ size: 14 * mib });
    publishTwo(world.upstream, world.blob);
    const { origin } = world.entrepot;
    for (const name of ['library/a', 'library/b']) await pull(origin, name, '1', { ns: 'docker.io' });
    await atRest(world);
    using reading = await open(urlOf(origin, world.blob, 'library/a'));
    await reading.read(1);
    for (const image of ['docker.io/library/a:1', 'docker.io/library/b:1']) {
      await world.entrepot.admin('POST /v1/purge', { image });
    }
    assert.equal(await world.isKept(), false);
    assertPiece(await reading.rest(), world.blob, 1);
  });
});

describe('a blob whose file is', () => {
  const mishaps: readonly (readonly [what: string, happen: (file: string) => Promise<unknown>])[] = [
    ['deleted', (file) => rm(file)],
    ['emptied', (file) => truncate(file)],
    ['cut short', (file) => truncate(file, 100_000)],
    ['longer than it was', (file) => writeFile(file, 'more', { flag: 'a' })],
  ];
  for (const [what, happen] of mishaps) {
    test(`${what} under a running server is fetched again, and never served as it is (distribution#1356)`, async () => {
      await using world = await startHeld();
      await happen(fileOf(world));
      const sizes = await head(world.url);
      assert.equal(sizes.headers['content-length'], String(world.blob.size));
      assertWhole(await world.drain(), world.blob);
      assertWhole(await world.drain(), world.blob);
      assert.equal(world.upstream.count({ method: 'GET' }), 1);
      await becomes(true, () => world.isKept());
    });

    test(`${what} while the upstream is away is an error, not less than the whole`, async () => {
      await using world = await startHeld();
      await happen(fileOf(world));
      await world.upstream.down();
      assertRefused(await world.drain());
      const part = await get(world.url, { headers: { range: 'bytes=0-9' } });
      assert.ok(part.status >= 500, `${part.status}`);
      await world.upstream.up();
    });
  }

  test('deleted once it has arrived is fetched again for who was still reading', async () => {
    await using world = await World.start({ size: 30 * mib });
    using reading = await world.open();
    await reading.read(1);
    await world.entrepot.until('download', ({ step }) => step === 'stored');
    await rm(fileOf(world));
    assertPiece(await reading.rest(), world.blob, 1);
    assert.ok(world.sent.sent > world.blob.size, 'it was still needed');
  });

  test('cut short while it is being read ends the body where the file ends', async () => {
    await using world = await startHeld({ size: 14 * mib });
    using reading = await world.open();
    await reading.read(1);
    await truncate(fileOf(world), 12 * mib);
    await assert.rejects(reading.rest());
  });
});

function publishTwo(upstream: CountingUpstream, layer: Content): [Image, Image] {
  const a = makeImage({ layers: [layer], seed: 'a' });
  const b = makeImage({ layers: [layer], seed: 'b' });
  upstream.publish('library/a:1', a);
  upstream.publish('library/b:1', b);
  return [a, b];
}

/** Clients may have their last byte a moment before the store has. */
function atRest({ entrepot }: World): Promise<void> {
  return becomes('[]', async () => (await entrepot.admin('GET /v1/downloads')).body.toString().trim());
}

/** The blob is at rest, and the upstream's counts begin anew. */
async function startHeld(options: Parameters<typeof World.start>[0] = {}): Promise<World> {
  const world = await World.start(options);
  assertWhole(await world.drain(), world.blob);
  await world.onlyKept();
  await world.entrepot.until('download', ({ step }) => step === 'stored');
  world.upstream.reset();
  return world;
}

function fileOf({ blob, entrepot }: World): string {
  const hex = blob.digest.slice('sha256:'.length);
  return join(entrepot.storeDirectory, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}
