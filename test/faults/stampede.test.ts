/** seeking → fetching: however many ask, and whatever becomes of them, one transfer brings the bytes in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, open, together } from '../support/client.ts';
import { makeImage } from '../support/images.ts';
import { delay } from '../support/upstream-faults.ts';
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

describe('twenty clients that ask at once for what is small', () => {
  const image = makeImage({ seed: 'small' });
  const asks = {
    'the size of a cold blob': (root: string) => head(`${root}/blobs/${image.config.digest}`),
    'a cold manifest by digest, with HEAD': (root: string) => head(`${root}/manifests/${image.digest}`),
    'the tags': (root: string) => get(`${root}/tags/list`),
    'the referrers of a manifest': (root: string) => get(`${root}/referrers/${image.digest}`),
  };
  for (const [what, ask] of Object.entries(asks)) {
    test(`cost the upstream one request: ${what}`, async () => {
      await using world = await World.start();
      world.upstream.publish('library/redis:7', image);
      using _slow = world.upstream.fault({}, delay(300));
      const answers = await together(20, () => ask(`${world.entrepot.origin}/v2/library/redis`));
      for (const { status } of answers) assert.equal(status, 200);
      assert.equal(world.upstream.count(), 1, world.upstream.summary());
    });
  }
});

describe('HEAD of a blob that is arriving', () => {
  test('tells its size without another question', async () => {
    await using world = await World.start({ size });
    const gate = world.upstream.gate({ path: '/blobs/' }, { at: half });
    using first = await open(world.url);
    assertPiece(await first.read(half), world.blob);
    const { status, headers } = await head(world.url);
    assert.deepEqual([status, headers['content-length'], headers['x-cache']], [200, String(size), 'coalesced']);
    assert.equal(world.upstream.count({ method: 'HEAD' }), 0);
    gate.release();
    assertPiece(await first.rest(), world.blob, half);
  });
});
