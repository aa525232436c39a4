/** seeking → fetching: however many ask, and whatever becomes of them, one transfer brings the bytes in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { open, together } from '../support/client.ts';
import { Random } from './random.ts';
import { assertPiece, assertWhole, mib, World } from './world.ts';

const half = mib / 2;
const size = mib + 1_234;

describe('fifty clients that ask for one cold blob at once', () => {
  test('cost the upstream one GET, and all have the right bytes (distribution#944, docker-registry-proxy#31)', async () => {
    await using world = await World.start({ size });
    const clients = await together(50, () => world.drain());
    for (const client of clients) assertWhole(client, world.blob);
    assert.equal(world.upstream.count({ method: 'GET' }), 1, world.upstream.summary());
    assert.equal(world.upstream.count(), 1, 'nothing else was asked');
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('have their first bytes while the upstream still holds the rest back', async () => {
    await using world = await World.start({ size });
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: half });
    const clients = await together(50, () => world.open());
    const first = await Promise.all(clients.map((client) => client.read(half)));
    for (const piece of first) assertPiece(piece, world.blob);
    gate.release();
    const rest = await Promise.all(clients.map((client) => client.rest()));
    for (const piece of rest) assertPiece(piece, world.blob, half);
    assert.equal(world.upstream.count(), 1);
  });

  test('are not disturbed by those among them that leave at any byte', async () => {
    await using world = await World.start({ size });
    const random = new Random();
    const lengths = Array.from({ length: 50 }, (_, position) => (position % 2 === 0 ? undefined : random.below(size)));
    await random.tell(() =>
      together(50, async (position) => {
        const length = lengths[position];
        if (length === undefined) return assertWhole(await world.drain(), world.blob);
        using leaving = await open(world.url);
        assertPiece(await leaving.read(length), world.blob);
      }),
    );
    world.assertFetchedOnce();
    await world.onlyKept();
  });

  test('cost each byte of a big one once, though it comes in several ranges', async () => {
    await using world = await World.start({ size: 33 * mib + 17 });
    const clients = await together(4, () => world.drain());
    for (const client of clients) assertWhole(client, world.blob);
    assert.ok(world.upstream.count({ method: 'GET' }) > 3, 'it came in ranges');
    world.assertFetchedOnce();
    await world.onlyKept();
  });
});
