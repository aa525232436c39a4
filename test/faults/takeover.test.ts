/** Several servers over one store, and one server after another: a download changes hands, and stays one. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { drain, open, together } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { TempDir } from '../support/temp-dir.ts';
import { corrupt } from '../support/upstream-faults.ts';
import { failWrites } from './broken-disk.ts';
import { assertPiece, assertRefused, assertWhole, becomes, mib, unfinishedIn, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };
const hour = 3_600_000;

describe('two servers over one store', () => {
  test('fetch a blob once that is asked of both at the same time', async () => {
    await using world = await World.start();
    await using other = await beside(world);
    const gate = world.upstream.gate(blobs, { at: mib });
    using first = await world.open();
    assertPiece(await first.read(mib), world.blob);
    using second = await open(urlOf(other.origin, world.blob));
    assertPiece(await second.read(mib), world.blob);
    assert.equal(
      world.upstream.count({ method: 'GET' }),
      1,
      'the second has its first bytes while the upstream holds the rest back',
    );
    gate.release();
    for (const client of [first, second]) assertPiece(await client.rest(), world.blob, mib);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('fetch a big one once for fifty clients of both', async () => {
    await using world = await World.start({ size: 20 * mib });
    await using other = await beside(world);
    const clients = await together(10, (position) =>
      drain(urlOf(position % 2 === 0 ? world.entrepot.origin : other.origin, world.blob)),
    );
    for (const client of clients) assertWhole(client, world.blob);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('are lied to together: no client of either completes a wrong body', async () => {
    await using world = await World.start();
    await using other = await beside(world);
    using lie = world.upstream.fault({ ...blobs, times: 1 }, corrupt(mib));
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: 2 * mib });
    const ours = world.drain();
    await gate.arrived();
    using theirs = await open(urlOf(other.origin, world.blob));
    await theirs.read(2 * mib);
    gate.release();
    assertRefused(await ours);
    await assert.rejects(theirs.rest(), 'it was given the wrong byte, too');
    assert.equal(lie.hits, 1);
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('help each other out: when the one cannot keep it, the clients of the other have the right bytes', async (t) => {
    await using world = await World.start();
    await using other = await beside(world);
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: mib });
    const ours = world.drain();
    await gate.arrived();
    using theirs = await open(urlOf(other.origin, world.blob));
    assertPiece(await theirs.read(mib), world.blob);
    {
      using _full = failWrites(t, 'ENOSPC');
      gate.release();
      assertWhole(await ours, world.blob);
      assertPiece(await theirs.rest(), world.blob, mib);
    }
    await world.nothingKept();
  });
});

describe('a server that stops while a blob arrives', () => {
  test('leaves it to the next one, which asks for the rest only', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    assert.deepEqual((await unfinishedIn(world.entrepot.storeDirectory)).length, 1);
    await world.entrepot.restart();
    assertWhole(await world.drain(), world.blob);
    world.assertFetchedOnce();
    assert.equal(world.entrepot.told('download').filter(({ step }) => step === 'resumed').length, 1);
    await world.onlyKept();
  });

  test('leaves it to the one beside it, whose clients notice nothing', async () => {
    await using world = await World.start();
    await using other = await beside(world);
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: mib });
    const ours = world.drain();
    await gate.arrived();
    using theirs = await open(urlOf(other.origin, world.blob));
    assertPiece(await theirs.read(mib), world.blob);
    await world.entrepot.stop();
    assertRefused(await ours);
    assertPiece(await theirs.rest(), world.blob, mib);
    world.assertFetchedOnce();
    await becomes([], () => unfinishedIn(world.entrepot.storeDirectory));
  });

  test('leaves nothing that is trusted when its machine was restarted since: perhaps it never reached the disk', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    sql(world, `UPDATE leases SET holder = replace(holder, '${boot}', 'an earlier one')`);
    await world.entrepot.restart();
    world.upstream.reset();
    assertWhole(await world.drain(), world.blob);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('leaves a file whose bytes were changed meanwhile: nobody completes them, and the next pull is right', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    const [name = ''] = await unfinishedIn(world.entrepot.storeDirectory);
    await writeFile(join(world.entrepot.storeDirectory, 'entrepot/ingest', name), 'not this', { flag: 'r+' });
    await world.entrepot.restart();
    assertRefused(await world.drain());
    await world.nothingKept();
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('leaves a part of a size that its upstream does not stand by: it begins anew', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    const { size } = world.blob;
    sql(world, `UPDATE leases SET state = replace(state, '"size":${size}', '"size":${size + 100}')`);
    await world.entrepot.restart();
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('leaves a file that was cut meanwhile: nobody completes it, and the next pull is right', async () => {
    await using world = await World.start();
    await stopAt(world, mib);
    const [name = ''] = await unfinishedIn(world.entrepot.storeDirectory);
    await writeFile(join(world.entrepot.storeDirectory, 'entrepot/ingest', name), 'short');
    await world.entrepot.restart();
    const client = await world.drain();
    if (client.complete) assertWhole(client, world.blob);
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });
});

describe('a server that is thought dead while it is not', () => {
  test('loses the download to another one; its clients go on straight from the upstream, and all are right', async () => {
    const [clock, ahead] = [new FakeClock(), new FakeClock()];
    await using world = await World.start({ clock });
    await using other = await beside(world, ahead);
    const gate = world.upstream.gate(blobs, { at: mib });
    using ours = await world.open();
    assertPiece(await ours.read(mib), world.blob);
    // Ours does not renew its lease, as if its process had been stopped; by the other's clock it has run out.
    await ahead.advance(11_000);
    using theirs = await open(urlOf(other.origin, world.blob));
    await gate.arrived(2);
    await clock.advance(5_000);
    await world.entrepot.until('download', ({ step }) => step === 'unstored');
    gate.release();
    const both = Promise.all([ours.rest(), theirs.rest()]);
    const state = { over: false };
    void both.finally(() => (state.over = true));
    while (!state.over) await Promise.all([clock.advance(50), ahead.advance(50)]);
    const [mine, yours] = await both;
    assertPiece(mine, world.blob, mib);
    assertPiece(yours, world.blob);
    const ranges = world.upstream.ledger.matching(blobs).map(({ range }) => range);
    assert.deepEqual(ranges, ['bytes=0-16777215', 'bytes=0-16777215', `bytes=${mib}-${world.blob.size - 1}`]);
    await world.onlyKept();
  });

  test('and brings its blob in all the same does no harm, and counts it once', async () => {
    const [clock, ahead] = [new FakeClock(), new FakeClock()];
    await using world = await World.start({ clock });
    await using other = await beside(world, ahead);
    const gate = world.upstream.gate(blobs, { at: mib });
    const ours = world.drain();
    await gate.arrived(1);
    await ahead.advance(11_000);
    const theirs = drain(urlOf(other.origin, world.blob));
    await gate.arrived(2);
    gate.release();
    for (const client of await Promise.all([ours, theirs])) assertWhole(client, world.blob);
    await world.onlyKept();
    await other.until('download', ({ step }) => step === 'stored');
    const rows = sql(world, 'SELECT sum(size) AS bytes FROM contents');
    assert.deepEqual(rows, [{ bytes: world.blob.size }]);
  });
});

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

/** Another server over the same store and index, with a socket of its own. */
async function beside(world: World, clock?: FakeClock): Promise<Entrepot> {
  const dir = await TempDir.make();
  const entrepot = await Entrepot.start({
    directory: dir.path,
    upstreams: { 'docker.io': world.upstream },
    config: {
      storage: { filesystem: { rootdirectory: world.entrepot.storeDirectory } },
      admin: { socket: dir.join('admin.sock') },
    },
    ...(clock && { clock }),
  });
  const stop = entrepot[Symbol.asyncDispose].bind(entrepot);
  return Object.assign(entrepot, {
    [Symbol.asyncDispose]: async () => {
      await stop();
      await dir[Symbol.asyncDispose]();
    },
  });
}

/** Stops the server in good order when so many bytes have arrived. */
async function stopAt(world: World, bytes: number): Promise<void> {
  world.upstream.gate({ ...blobs, times: 1 }, { at: bytes });
  using client = await world.open();
  await client.read(bytes);
  await world.entrepot.stop();
  await assert.rejects(client.rest());
}

/** Straight at the index's file, as nothing of ours would. */
function sql({ entrepot }: World, statement: string): unknown[] {
  const database = new DatabaseSync(join(entrepot.storeDirectory, 'entrepot/index.db'));
  const rows = database.prepare(statement).all();
  database.close();
  return rows.map((row) => ({ ...row }));
}
