/** Parts of a blob that is not there yet: each is answered when its bytes are there, and each byte is fetched once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, together } from '../support/client.ts';
import { noRange } from '../support/upstream-faults.ts';
import { Random } from './random.ts';
import { assertPiece, assertWhole, kib, mib, World } from './world.ts';

const blobs = { path: '/blobs/' };

describe('a range of a cold blob', () => {
  for (const [range, start, end] of [
    ['bytes=100-199', 100, 200],
    ['bytes=0-1', 0, 2],
    ['bytes=-500', -500, undefined],
    ['bytes=3000000-', 3_000_000, undefined],
  ] as const) {
    test(`(${range}) is answered with 206 and exactly its bytes (distribution#4667)`, async () => {
      await using world = await World.start();
      const from = start < 0 ? world.blob.size + start : start;
      const to = end ?? world.blob.size;
      const answer = await get(world.url, { headers: { range } });
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${world.blob.size}`);
      assert.equal(answer.headers['content-length'], String(to - from));
      assert.equal(answer.body.length, to - from);
      assertPiece(answer.body, world.blob, from);
      assertWhole(await world.drain(), world.blob);
      world.assertFetchedOnce();
      await world.onlyKept();
    });
  }

  test('that lies beyond its end is refused, and the blob is fetched all the same', async () => {
    await using world = await World.start();
    const answer = await get(world.url, { headers: { range: `bytes=${world.blob.size}-` } });
    assert.equal(answer.status, 416);
    assert.equal(answer.headers['content-range'], `bytes */${world.blob.size}`);
    assertWhole(await world.drain(), world.blob);
  });

  test('with several parts is answered with each of them', async () => {
    await using world = await World.start();
    const spans = [
      [10, 20],
      [2 * mib, 2 * mib + 7],
      [world.blob.size - 3, world.blob.size],
    ] as const;
    const range = `bytes=${spans.map(([from, to]) => `${from}-${to - 1}`).join(',')}`;
    const answer = await get(world.url, { headers: { range } });
    assert.equal(answer.status, 206);
    const parts = partsOf(answer.body, answer.headers['content-type'] ?? '');
    assert.deepEqual(
      parts.map(({ range: said }) => said),
      spans.map(([from, to]) => `bytes ${from}-${to - 1}/${world.blob.size}`),
    );
    for (const [position, [from]] of spans.entries())
      assertPiece(parts[position]?.body ?? Buffer.of(), world.blob, from);
  });

  test('near the end is answered before the rest has come', async () => {
    await using world = await World.start({ size: 40 * mib });
    const gate = world.upstream.gate({ ...blobs, times: 1 }, { at: mib });
    using early = await world.open();
    assertPiece(await early.read(mib), world.blob);
    const near = await get(world.url, { headers: { range: `bytes=${40 * mib - 100}-${40 * mib - 1}` } });
    assert.equal(near.status, 206);
    assertPiece(near.body, world.blob, 40 * mib - 100);
    gate.release();
    assertPiece(await early.rest(), world.blob, mib);
    await world.onlyKept();
  });

  test('is answered by an upstream that knows no ranges as well, only later', async () => {
    await using world = await World.start({ size: 20 * mib });
    using _old = world.upstream.fault(blobs, noRange());
    const near = await get(world.url, { headers: { range: `bytes=${20 * mib - 100}-${20 * mib - 1}` } });
    assert.equal(near.status, 206);
    assertPiece(near.body, world.blob, 20 * mib - 100);
    assert.equal(world.upstream.count(blobs), 1);
    assertWhole(await world.drain(), world.blob);
    world.assertFetchedOnce();
  });
});

describe('twenty ranges of one cold blob at once', () => {
  test('are all right, and the upstream sends little more than the blob', async () => {
    const size = 80 * mib;
    await using world = await World.start({ size });
    await together(20, async (position) => {
      const start = position * 4 * mib;
      using reading = await world.open({ headers: { range: `bytes=${start}-${start + 4 * mib - 1}` } });
      assert.equal(reading.status, 206);
      const body = await reading.rest();
      assert.equal(body.length, 4 * mib);
      assertPiece(body, world.blob, start);
    });
    await world.onlyKept();
    const { sent, distinct } = world.sent;
    assert.equal(distinct, size);
    // A transfer that is shortened for a reader's sake has something under way: what fits in the sockets.
    assert.ok(sent <= size * 1.25, `${sent - size} bytes were sent twice:\n${world.upstream.summary()}`);
  });

  test('at random places, as zstd:chunked asks, are all right', async () => {
    const random = new Random();
    await random.tell(async () => {
      await using world = await World.start({ size: 20 * mib + 5 });
      await together(20, async () => {
        const start = random.below(world.blob.size);
        const length = 1 + random.below(Math.min(256 * kib, world.blob.size - start));
        const answer = await get(world.url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
        assert.equal(answer.body.length, length);
        assertPiece(answer.body, world.blob, start);
      });
      await world.onlyKept();
    });
  });
});

interface Part {
  readonly range: string;
  readonly body: Buffer;
}

/** RFC 2046, 5.1.1. */
function partsOf(body: Buffer, type: string): readonly Part[] {
  const boundary = /boundary=(\S+)/.exec(type)?.[1] ?? assert.fail(`no boundary in ${type}`);
  const text = body.toString('latin1');
  assert.ok(text.endsWith(`\r\n--${boundary}--\r\n`), 'the last part is followed by the end');
  return text
    .slice(0, -`\r\n--${boundary}--\r\n`.length)
    .split(`--${boundary}\r\n`)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n');
      const range = /content-range: (.*)/i.exec(part.slice(0, end))?.[1]?.trim() ?? '';
      return { range, body: Buffer.from(part.slice(end + 4).replace(/\r\n$/, ''), 'latin1') };
    });
}
