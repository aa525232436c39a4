/** The readers of a download: they come and go, each at its own pace, and the download goes on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertPiece, assertWhole, mib, World } from './world.ts';

describe('a client of a cold blob', () => {
  test('that leaves at a tenth does not stop it: it is fetched whole, and the next client costs nothing', async () => {
    await using world = await World.start();
    const tenth = Math.floor(world.blob.size / 10);
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: tenth });
    const leaving = await world.open();
    assertPiece(await leaving.read(tenth), world.blob);
    leaving.abort();
    await world.entrepot.until('request.done', ({ complete }) => !complete);
    gate.release();
    await world.entrepot.until('download', ({ step }) => step === 'stored');
    assertWhole(await world.drain(), world.blob);
    assert.equal(world.upstream.count({ method: 'GET' }), 1);
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('that leaves before the first byte does not stop it either', async () => {
    await using world = await World.start();
    const gate = world.upstream.gate({ path: '/blobs/' });
    const leaving = new AbortController();
    const left = world.open({ signal: leaving.signal });
    await gate.arrived();
    leaving.abort();
    await assert.rejects(left);
    gate.release();
    await world.entrepot.until('download', ({ step }) => step === 'stored');
    assertWhole(await world.drain(), world.blob);
    assert.equal(world.upstream.count({ method: 'GET' }), 1);
  });

  test('that hardly reads slows nobody: neither the fetching nor the others', async () => {
    await using world = await World.start({ size: 14 * mib });
    using slow = await world.open();
    assertPiece(await slow.read(1), world.blob);
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
    assertWhole(await world.drain(), world.blob);
    assertPiece(await slow.read(1_024), world.blob, 1);
    assertPiece(await slow.rest(), world.blob, 1_025);
    assert.equal(world.upstream.count({ method: 'GET' }), 1);
  });

  test('has its headers before the upstream has sent the half of it, however long that takes', async () => {
    await using world = await World.start();
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: 1 });
    using waiting = await world.open();
    assert.equal(waiting.headers['content-length'], String(world.blob.size));
    assert.equal(waiting.headers['docker-content-digest'], world.blob.digest);
    gate.release();
    assertPiece(await waiting.rest(), world.blob);
  });

  test('that comes late reads at once what has arrived before it came', async () => {
    await using world = await World.start();
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: 2 * mib });
    using early = await world.open();
    await early.read(2 * mib);
    using late = await world.open();
    assertPiece(await late.read(2 * mib), world.blob);
    gate.release();
    assertPiece(await late.rest(), world.blob, 2 * mib);
    world.assertFetchedOnce();
  });
});
