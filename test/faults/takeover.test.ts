/** Several servers over one store, and one server after another: a download changes hands, and stays one. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { withheldBytes } from '../../src/bytes/growth.ts';
import { drain, open, together } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { overTime } from '../support/over-time.ts';
import { corrupt } from '../support/upstream-faults.ts';
import { failWrites, slowClose } from './broken-disk.ts';
import { beside, sql, stopAt } from './shared-store.ts';
import { assertPiece, assertRefused, assertWhole, becomes, mib, unfinishedIn, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };

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

  test('are lied to together up to its very end: no client of either completes a wrong body', async () => {
    await using world = await World.start();
    await using other = await beside(world);
    using _lie = world.upstream.fault({ ...blobs, times: 1 }, corrupt(mib));
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: 3 * mib });
    const ours = world.drain();
    await gate.arrived();
    using theirs = await open(urlOf(other.origin, world.blob));
    await theirs.read(world.blob.size - withheldBytes);
    gate.release();
    assertRefused(await ours);
    await assert.rejects(theirs.rest(), 'it was given the wrong byte, too');
    await world.nothingKept();
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

  test('leaves it to the one beside it, whose clients notice nothing, however slow its disk is', async (t) => {
    await using world = await World.start();
    await using other = await beside(world);
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: mib });
    const ours = world.drain();
    await gate.arrived();
    using theirs = await open(urlOf(other.origin, world.blob));
    assertPiece(await theirs.read(mib), world.blob);
    using _slow = slowClose(t, 200);
    await world.entrepot.stop();
    assertRefused(await ours);
    assertPiece(await theirs.rest(), world.blob, mib);
    world.assertFetchedOnce();
    assert.deepEqual(
      other
        .told('download')
        .map(({ step }) => step)
        .slice(0, 2),
      ['following', 'resumed'],
    );
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
    const clocks = { advance: async (ms: number) => void (await Promise.all([clock.advance(ms), ahead.advance(ms)])) };
    const [mine, yours] = await overTime(clocks, Promise.all([ours.rest(), theirs.rest()]));
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
