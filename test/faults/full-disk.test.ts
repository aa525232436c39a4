/** A real file system that is really full, where we may mount one; broken-disk.ts plays it elsewhere. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { together } from '../support/client.ts';
import { makeImage } from '../support/images.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts';
import { assertWhole, becomes, mib, World } from './world.ts';

const skip = await whyNoSmallDisk();

describe('a file system that is full', { skip }, () => {
  test('while a blob arrives costs the entry: ten clients have the right bytes', async () => {
    await using disk = await SmallDisk.mount(8 * mib);
    await using world = await World.start(disk.options);
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: mib });
    const clients = together(10, () => world.drain());
    await gate.arrived();
    await disk.fill();
    gate.release();
    for (const client of await clients) assertWhole(client, world.blob);
    await world.nothingKept();
    assert.equal(world.entrepot.told('download').at(-1)?.step, 'unstored');
    const codes = new Set(world.entrepot.told('store.failed').map(({ code }) => code));
    assert.ok(codes.has('ENOSPC'), [...codes].join());
  });

  test('to its last byte costs the entries: images are pulled as if nothing were', async () => {
    await using disk = await SmallDisk.mount(8 * mib);
    await using world = await World.start(disk.options);
    const image = makeImage({ layers: [world.blob, 100, 40_000] });
    world.upstream.publish('library/redis:7', image);
    await disk.fill();
    await pull(world.entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await pullAsDockerd(world.entrepot.origin, 'library/redis', '7');
    assert.equal(await world.isKept(), false);
    await disk.empty();
    await pull(world.entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await becomes(true, () => world.isKept());
  });

  test('to its last byte keeps serving what is held, also after a restart', async () => {
    await using disk = await SmallDisk.mount(8 * mib);
    await using world = await World.start(disk.options);
    const image = makeImage({ layers: [world.blob] });
    world.upstream.publish('library/redis:7', image);
    await pull(world.entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await disk.fill();
    world.upstream.reset();
    await pull(world.entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await world.entrepot.restart();
    await pull(world.entrepot.origin, 'library/redis', image.digest, { ns: 'docker.io' });
    assert.equal(world.sent.sent, 0);
  });
});
