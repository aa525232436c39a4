/** What the operator allows an upstream: so many transfers at once, so many bytes a second. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drain, together } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeBlob } from '../support/images.ts';
import { stall } from '../support/upstream-faults.ts';
import { overTime } from '../support/over-time.ts';
import { assertPiece, assertWhole, mib, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };

describe('a limit of transfers at once', () => {
  test('makes others wait their turn, and all of them get through', async () => {
    await using world = await World.start({ habits: { concurrency: 2 } });
    const contents = Array.from({ length: 6 }, (_, position) => makeBlob(100_000, `blob ${position}`));
    for (const content of contents) world.upstream.publishBlob('library/redis', content);
    const gate = world.upstream.gate(blobs);
    const clients = contents.map((content) => drain(urlOf(world.entrepot.origin, content)));
    await gate.arrived(2);
    for (let through = 1; through <= contents.length; through += 1) {
      assert.ok(open(world) <= 2, world.upstream.summary());
      gate.release(1);
      if (through <= contents.length - 2) await gate.arrived(through + 2);
    }
    for (const [position, client] of (await Promise.all(clients)).entries()) {
      assert.equal(client.digest, contents[position]?.digest);
    }
  });

  test('holds for the ranges of one big blob as well', async () => {
    await using world = await World.start({ size: 64 * mib, habits: { concurrency: 2, ranges: 8 } });
    const counts: number[] = [];
    const client = world.drain();
    const observe = setInterval(() => counts.push(open(world)), 1);
    assertWhole(await client, world.blob);
    clearInterval(observe);
    assert.ok(Math.max(...counts) <= 2, `${Math.max(...counts)} at once`);
    world.assertFetchedOnce();
  });

  test('is not used up for good by transfers that stall', async () => {
    const clock = new FakeClock();
    await using world = await World.start({ clock, habits: { concurrency: 1, timeouts: { stall: '30s' } } });
    const other = makeBlob(100_000, 'other');
    world.upstream.publishBlob('library/redis', other);
    world.upstream.fault({ ...blobs, times: 1 }, stall(mib));
    const stalled = world.drain();
    await world.upstream.ledger.arrived(blobs);
    const waiting = drain(urlOf(world.entrepot.origin, other));
    const [first, second] = await overTime(clock, Promise.all([stalled, waiting]));
    assertWhole(first, world.blob);
    assertWhole(second, other);
  });

  test('is not used up by clients that hardly read what the cache may not hold', async () => {
    const config = { cache: { size: '1MiB' } };
    await using world = await World.start({ size: 32 * mib, config, habits: { concurrency: 1 } });
    const other = makeBlob(100_000, 'other');
    world.upstream.publishBlob('library/redis', other);
    const slow = await together(2, () => world.open());
    for (const client of slow) assertPiece(await client.read(1), world.blob);
    assertWhole(await drain(urlOf(world.entrepot.origin, other)), other);
    for (const client of slow) assertPiece(await client.read(mib), world.blob, 1);
    const rests = await Promise.all(slow.map((client) => client.drain()));
    for (const { bytes, complete } of rests) assert.ok(complete && bytes === world.blob.size - 1 - mib);
  });

  test('leaves some of them for blobs that nobody has a byte of, before the parts of others', async () => {
    await using world = await World.start({ size: 128 * mib, habits: { concurrency: 4, ranges: 8 } });
    const other = makeBlob(100_000, 'other');
    world.upstream.publishBlob('library/redis', other);
    const gate = world.upstream.gate({ path: world.blob.digest });
    const client = world.drain();
    gate.release(1);
    await gate.arrived(4);
    assert.equal(open(world), 3, world.upstream.summary());
    assertWhole(await drain(urlOf(world.entrepot.origin, other)), other);
    gate.release();
    assertWhole(await client, world.blob);
    world.assertFetchedOnce();
  });

  test('does not stand in the way of manifests', async () => {
    await using world = await World.start({ habits: { concurrency: 1 } });
    const gate = world.upstream.gate(blobs);
    const client = world.drain();
    await gate.arrived();
    const answer = await drain(`${world.entrepot.origin}/v2/library/redis/tags/list?ns=docker.io`);
    assert.equal(answer.status, 200);
    gate.release();
    assertWhole(await client, world.blob);
  });
});

describe('a limit of bytes a second', () => {
  test('is kept, whatever the upstream could send and however many ask', async () => {
    const clock = new FakeClock();
    await using world = await World.start({ clock, size: 10 * mib, habits: { bandwidth: '1MiB' } });
    const clients = [world.drain(), world.drain()];
    const began = clock.monotonic();
    for (const client of await overTime(clock, Promise.all(clients), 20)) assertWhole(client, world.blob);
    const seconds = (clock.monotonic() - began) / 1_000;
    assert.ok(seconds >= 9.5, `10 MiB took ${seconds} s`);
    world.assertFetchedOnce();
  });

  test('and a cache without room for the blob do no harm to what the client gets', async () => {
    const clock = new FakeClock();
    const options = { size: 4 * mib, habits: { bandwidth: '1MiB' }, config: { cache: { size: '1MiB' } } };
    await using world = await World.start({ clock, ...options });
    assertWhole(await world.overTime(world.drain()), world.blob);
  });

  test('is no stall', async () => {
    const clock = new FakeClock();
    const habits = { bandwidth: '100KiB', timeouts: { stall: '1s' } };
    await using world = await World.start({ clock, size: 2 * mib, habits });
    assertWhole(await world.overTime(world.drain()), world.blob);
    assert.equal(world.upstream.count(blobs), 1);
  });
});

function open({ upstream }: World): number {
  return upstream.ledger.matching(blobs).filter(({ outcome }) => outcome === 'open').length;
}
