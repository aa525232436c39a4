/** What a server left behind when it ended: it is gone in time, and not before. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../support/fake-clock.ts';
import { beside, sql, stopAt } from './shared-store.ts';
import { assertWhole, becomes, mib, unfinishedIn, World } from './world.ts';

const blobs = { path: '/blobs/' };
const hour = 3_600_000;

describe('what a server left behind', () => {
  test('and nobody knows of any more is gone after the next start', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    sql(world, 'DELETE FROM leases');
    await world.entrepot.restart();
    await world.nothingKept();
  });

  test('unfinished, and nobody asked for again for a day, is gone', async () => {
    const clock = new FakeClock();
    await using world = await World.start({ clock });
    await stopAt(world, mib);
    await clock.advance(23 * hour);
    await world.entrepot.restart();
    assert.equal((await unfinishedIn(world.entrepot.storeDirectory)).length, 1);
    const gone = becomes([], () => unfinishedIn(world.entrepot.storeDirectory));
    await world.overTime(gone, 10 * 60_000);
  });

  test('unfinished because the upstream gave up is gone after a day as well, without any restart', async () => {
    const clock = new FakeClock();
    await using world = await World.start({ clock });
    world.upstream.gate(blobs, { at: mib });
    using client = await world.open();
    await client.read(mib);
    await world.upstream.down();
    await assert.rejects(world.overTime(client.rest()));
    await becomes(1, async () => (await unfinishedIn(world.entrepot.storeDirectory)).length);
    const gone = becomes([], () => unfinishedIn(world.entrepot.storeDirectory));
    await world.overTime(gone, 10 * 60_000);
    await world.upstream.up();
  });

  test('does not disturb what another server is just bringing in', async () => {
    await using world = await World.start();
    const gate = world.upstream.gate(blobs, { at: mib });
    const client = world.drain();
    await gate.arrived();
    await using _other = await beside(world);
    gate.release();
    assertWhole(await client, world.blob);
    await world.onlyKept();
  });
});
