/** fetching, interrupted: the upstream breaks off, stalls or answers nonsense, and the clients notice nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { together } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  changedEtag,
  close,
  cut,
  noRange,
  reset,
  stall,
  status,
  wrongContentRange,
} from '../support/upstream-faults.ts';
import { Random } from './random.ts';
import { assertPiece, assertWhole, mib, World } from './world.ts';

const blobs = { path: '/blobs/' };
const once = { path: '/blobs/', times: 1 };

describe('an upstream that breaks off', () => {
  test('at nine tenths is asked for the last tenth only', async () => {
    await using world = await World.start();
    const at = Math.floor(world.blob.size * 0.9);
    world.upstream.fault(once, cut(at));
    for (const client of await together(5, () => world.drain())) assertWhole(client, world.blob);
    const [first, second, ...others] = world.upstream.ledger.matching(blobs);
    assert.deepEqual(others, []);
    assert.equal(first?.range, 'bytes=0-16777215', 'no manifest told its size');
    assert.equal(second?.range, `bytes=${at}-${world.blob.size - 1}`);
    assert.equal(second?.headers['if-range'], `"${world.blob.digest}"`);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('at any bytes, again and again, by closing or by resetting, is resumed each time', async () => {
    const random = new Random();
    await random.tell(async () => {
      await using world = await World.start();
      const offsets = Array.from({ length: 12 }, () => random.below(world.blob.size)).sort((a, b) => a - b);
      for (const at of offsets) world.upstream.fault(once, cut(at, random.pick(['close', 'reset'])));
      for (const client of await together(3, () => world.drain())) assertWhole(client, world.blob);
      await world.onlyKept();
    });
  });

  test('in several ranges of a big blob at once is resumed in each', async () => {
    await using world = await World.start({ size: 40 * mib });
    for (const at of [5, 17, 26, 35]) world.upstream.fault(once, cut(at * mib));
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
    world.assertFetchedOnce();
  });

  test('and refuses, and closes, and fails before it goes on, is waited for', async () => {
    await using world = await World.start({ clock: new FakeClock() });
    world.upstream.fault(once, cut(mib));
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, status(503));
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, reset());
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, close());
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, status(429, { 'retry-after': '7' }));
    assertWhole(await world.overTime(world.drain()), world.blob);
    assert.equal(world.upstream.count(blobs), 6);
    world.assertFetchedOnce();
  });

  test('and never comes back ends the body of the clients, which is not taken for the whole', async () => {
    await using world = await World.start({ clock: new FakeClock() });
    world.upstream.fault(once, cut(mib));
    world.upstream.fault({ ...blobs, skip: 1 }, status(500));
    const client = await world.overTime(world.drain());
    assert.equal(client.status, 200);
    assert.equal(client.complete, false);
    assert.ok(client.bytes <= mib);
    assert.equal(await world.isKept(), false);
  });

  test('and never came back is asked for the rest only when it is there again', async () => {
    await using world = await World.start({ clock: new FakeClock() });
    world.upstream.fault(once, cut(mib));
    {
      using _outage = world.upstream.fault({ ...blobs, skip: 1 }, status(500));
      await world.overTime(world.drain());
    }
    assertWhole(await world.overTime(world.drain()), world.blob);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('before it has said anything is told to the client at once: others may know better', async () => {
    await using world = await World.start();
    world.upstream.fault(blobs, reset());
    const client = await world.drain();
    assert.equal(client.status, 503);
    await world.nothingKept();
  });

  test('while a client waits near the end goes on there as well', async () => {
    await using world = await World.start({ size: 40 * mib });
    world.upstream.fault(once, cut(39 * mib + 5));
    world.upstream.gate({ ...blobs, times: 1 }, { at: 2 * mib });
    using near = await world.open({ headers: { range: `bytes=${39 * mib}-${40 * mib - 1}` } });
    assertPiece(await near.rest(), world.blob, 39 * mib);
  });
});

describe('an upstream that stalls in the middle', () => {
  test('is given up after its time, and the rest is asked for anew', async () => {
    await using world = await World.start({ clock: new FakeClock(), habits: { timeouts: { stall: '30s' } } });
    world.upstream.fault(once, stall(mib));
    using client = await world.open();
    assertPiece(await client.read(mib), world.blob);
    const rest = client.rest();
    await world.overTime(world.upstream.ledger.arrived(blobs, 2));
    assertPiece(await world.overTime(rest), world.blob, mib);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('does so for nobody while a client merely reads slowly', async () => {
    const clock = new FakeClock();
    await using world = await World.start({ clock, size: 14 * mib });
    using client = await world.open();
    await client.read(1);
    await world.entrepot.until('download', ({ step }) => step === 'stored');
    await clock.advance(60_000);
    assertPiece(await client.rest(), world.blob, 1);
    assert.equal(world.upstream.count(blobs), 1);
  });
});

describe('an upstream that resumes wrongly', () => {
  test('ignores Range and sends everything again: what is there is not written twice (model-runner#873)', async () => {
    await using world = await World.start();
    world.upstream.fault(once, cut(2 * mib));
    world.upstream.fault({ ...blobs, skip: 1 }, noRange());
    for (const client of await together(3, () => world.drain())) assertWhole(client, world.blob);
    assert.equal(world.upstream.count(blobs), 2);
    await world.onlyKept();
  });

  test('answers from another offset than it was asked for, once', async () => {
    await using world = await World.start();
    world.upstream.fault(once, cut(2 * mib));
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, wrongContentRange(mib));
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('answers from another offset whenever it is asked for a range: then it is asked for the whole', async () => {
    await using world = await World.start({ clock: new FakeClock() });
    world.upstream.fault(once, cut(2 * mib));
    world.upstream.fault({ ...blobs, skip: 1 }, wrongContentRange(mib));
    assertWhole(await world.overTime(world.drain()), world.blob);
    await world.onlyKept();
  });

  test('has another ETag by then: If-Range brings everything anew, and the digest decides', async () => {
    await using world = await World.start();
    world.upstream.fault(once, cut(2 * mib));
    world.upstream.fault({ ...blobs, skip: 1 }, changedEtag());
    assertWhole(await world.drain(), world.blob);
    const [, second] = world.upstream.ledger.matching(blobs);
    assert.equal(second?.status, 200);
    await world.onlyKept();
  });

  test('says that there is no such range', async () => {
    await using world = await World.start({ clock: new FakeClock() });
    world.upstream.fault(once, cut(2 * mib));
    world.upstream.fault({ ...blobs, skip: 1, times: 1 }, status(416));
    assertWhole(await world.overTime(world.drain()), world.blob);
  });
});
