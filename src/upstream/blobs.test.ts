import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDigest } from '../oci/digest.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import type { UpstreamOptions } from '../../test/support/counting-upstream.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const blob = makeBlob(300_000, 'blob');
const whole = blob.bytes();
const etag = `"${blob.digest}"`;

async function start(options: UpstreamOptions = {}): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start(options);
  registry.publishBlob('library/redis', blob);
  return registry;
}

describe('a blob', () => {
  test('arrives whole, byte for byte', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    const { found, heads, bytes } = await fetchBlob(rig.repository, blob.digest);
    assert.equal(found, true);
    assert.deepEqual(heads, [{ start: 0, size: blob.size, etag, ranges: true }]);
    assert.deepEqual(bytes, whole);
    assert.equal(rig.upstream.status().transfers, 0);
  });

  test('that is empty arrives', async () => {
    const empty = makeBlob(0, 'empty');
    await using registry = await start();
    registry.publishBlob('library/redis', empty);
    await using rig = makeRig(registry.origin);
    assert.deepEqual((await fetchBlob(rig.repository, empty.digest)).heads.length, 1);
  });

  test('that the upstream does not have is not found', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    assert.equal((await fetchBlob(rig.repository, `sha256:${'0'.repeat(64)}`)).found, false);
  });

  test('without a length arrives, too', async () => {
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.noLength());
    await using rig = makeRig(registry.origin);
    const { heads, bytes } = await fetchBlob(rig.repository, blob.digest);
    assert.equal(heads[0]?.size, undefined);
    assert.deepEqual(bytes, whole);
  });

  test('goes at the pace of the sink, in order and without a byte lost', async () => {
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.noLength());
    await using rig = makeRig(registry.origin);
    const arrived: Uint8Array[] = [];
    let busy = 0;
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const sink = {
      head: () => true,
      async data(chunk: Uint8Array): Promise<boolean> {
        assert.equal(++busy, 1, 'one piece at a time');
        await new Promise((resolve) => setImmediate(resolve));
        arrived.push(chunk);
        busy--;
        return true;
      },
    };
    await rig.repository.blob(parseDigest(blob.digest), request, sink, 'anonymous');
    assert.deepEqual(Buffer.concat(arrived), whole);
  });

  test('that arrives while the sink is busy is handed over together, up to a bound', async () => {
    const big = makeBlob(4_000_000, 'big');
    await using registry = await start();
    registry.publishBlob('library/redis', big);
    await using rig = makeRig(registry.origin);
    const sizes: number[] = [];
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const sink = {
      head: () => true,
      async data(chunk: Uint8Array): Promise<boolean> {
        sizes.push(chunk.length);
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        return true;
      },
    };
    await rig.repository.blob(parseDigest(big.digest), request, sink, 'anonymous');
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      big.size,
    );
    assert.ok(Math.max(...sizes) > 65_536, `${sizes.join()}: more than one read at a time`);
    assert.ok(Math.max(...sizes) <= 262_144, `${sizes.join()}: but no more than is bounded`);
  });

  test('holds the upstream back while the sink is busy', async () => {
    const [big, other] = [makeBlob(64_000_000, 'big'), makeBlob(64_000_000, 'other')];
    await using registry = await start();
    for (const each of [big, other]) registry.publishBlob('library/redis', each);
    await using rig = makeRig(registry.origin);
    const aborter = new AbortController();
    const first = Promise.withResolvers<void>();
    const sink = {
      head: () => true,
      data: () => {
        first.resolve();
        return new Promise<boolean>(() => {});
      },
    };
    const request = { start: 0, end: undefined, etag: undefined, signal: aborter.signal };
    const running = rig.repository.blob(parseDigest(big.digest), request, sink, 'anonymous');
    await first.promise;
    // Another one comes and goes meanwhile: had the first one been read on, it would be through by then.
    await fetchBlob(rig.repository, other.digest);
    assert.ok(registry.blobBytes(big.digest).sent < 16_000_000, 'what fills the buffers of two sockets');
    aborter.abort(new Error('enough'));
    await assert.rejects(running, /enough/);
    assert.equal(rig.upstream.status().transfers, 0);
  });

  test('is left when the sink has enough', async () => {
    await using registry = await start({ bytesPerSecond: 1_000_000 });
    await using rig = makeRig(registry.origin);
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const sink = { head: () => true, data: () => false };
    assert.equal(await rig.repository.blob(parseDigest(blob.digest), request, sink, 'anonymous'), true);
    await registry.ledger.settled();
    assert.equal(registry.ledger.entries[0]?.outcome, 'aborted');
  });

  test('is given up with the reason of the signal', async () => {
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.hang());
    await using rig = makeRig(registry.origin);
    const aborter = new AbortController();
    const running = fetchBlob(rig.repository, blob.digest, { signal: aborter.signal });
    await registry.ledger.arrived({ path: '/blobs/' });
    aborter.abort(new Error('nobody waits'));
    await assert.rejects(running, /nobody waits/);
  });

  test('ends with what the sink threw', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const disk = new Error('disk full');
    for (const data of [() => Promise.reject(disk), () => Promise.resolve().then(() => Promise.reject(disk))]) {
      const running = rig.repository.blob(parseDigest(blob.digest), request, { head: () => true, data }, 'anonymous');
      await assert.rejects(running, disk);
    }
    const head = () => {
      throw disk;
    };
    const running = rig.repository.blob(parseDigest(blob.digest), request, { head, data: () => true }, 'anonymous');
    await assert.rejects(running, disk);
    assert.equal(rig.upstream.status().circuit, 'closed');
  });

  test('ends with what the sink threw also while the rate holds it back', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    await using rig = makeRig(registry.origin, { bandwidthBytesPerSecond: 1_000 }, { clock });
    const disk = new Error('disk full');
    const data = async (): Promise<boolean> => {
      await new Promise((resolve) => setImmediate(resolve));
      throw disk;
    };
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const running = rig.repository.blob(parseDigest(blob.digest), request, { head: () => true, data }, 'anonymous');
    await assert.rejects(running, disk);
  });

  test('that is cut is handed over as far as it came, and said to be broken', async () => {
    for (const how of ['close', 'reset'] as const) {
      await using registry = await start();
      registry.fault({ path: '/blobs/' }, faults.cut(200_000, how));
      await using rig = makeRig(registry.origin);
      const into: Uint8Array[] = [];
      const failure = await failureOf(fetchBlob(rig.repository, blob.digest, {}, 'anonymous', into));
      assert.equal(failure.code, 'UPSTREAM_UNREACHABLE');
      assert.match(failure.message, /broke the connection off/);
      const arrived = Buffer.concat(into);
      if (how === 'close') assert.equal(arrived.length, 200_000);
      assert.deepEqual(arrived, whole.subarray(0, arrived.length));
      assert.equal(rig.upstream.status().circuit, 'closed', 'one cut says little about an upstream');
    }
  });

  test('that stalls is given up after the stall time', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.stall(200_000));
    await using rig = makeRig(registry.origin, {}, { clock });
    const into: Uint8Array[] = [];
    const running = failureOf(fetchBlob(rig.repository, blob.digest, {}, 'anonymous', into));
    while (Buffer.concat(into).length < 200_000) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(30_000);
    const failure = await running;
    assert.equal(failure.code, 'UPSTREAM_TIMEOUT');
    assert.match(failure.message, /nothing arrived for 30000 ms/);
  });

  test('that a sink takes its time for does not stall', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    await using rig = makeRig(registry.origin, {}, { clock });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const first = Promise.withResolvers<void>();
    let arrived = 0;
    const sink = {
      head: () => true,
      data(chunk: Uint8Array): boolean | Promise<boolean> {
        arrived += chunk.length;
        first.resolve();
        return arrived === chunk.length ? promise : true;
      },
    };
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const running = rig.repository.blob(parseDigest(blob.digest), request, sink, 'anonymous');
    await first.promise;
    await clock.advance(300_000);
    resolve(true);
    assert.equal(await running, true);
    assert.equal(arrived, blob.size);
  });

  test('waits for its turn when as many transfers are under way as are allowed', async () => {
    await using registry = await start();
    const gate = registry.gate({ path: '/blobs/' });
    await using rig = makeRig(registry.origin, { concurrency: 2 });
    const transfers = [1, 2, 3].map(() => fetchBlob(rig.repository, blob.digest));
    await registry.ledger.arrived({ path: '/blobs/' }, 2);
    assert.equal(rig.upstream.status().transfers, 2);
    const size = await rig.repository.tags({ limit: 10, last: undefined }, 'anonymous');
    assert.ok(size, 'small requests do not wait for big ones');
    assert.equal(registry.count({ path: '/blobs/' }), 2);
    gate.release();
    await Promise.all(transfers);
    assert.equal(registry.count({ path: '/blobs/' }), 3);
  });

  test('is read no faster than allowed', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin, { bandwidthBytesPerSecond: 2_000_000 });
    const startedAt = performance.now();
    await fetchBlob(rig.repository, blob.digest);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs >= 75, `150 ms of bytes, less a burst and the last piece, took ${tookMs} ms`);
  });

  test('ends with what the sink failed with, while the bandwidth still makes it wait', async () => {
    await using registry = await start();
    const clock = new FakeClock();
    await using rig = makeRig(registry.origin, { bandwidthBytesPerSecond: 10 }, { clock });
    const noRoom = new Error('no room for it');
    const sink = { head: () => true, data: () => Promise.reject(noRoom) };
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    await assert.rejects(rig.repository.blob(parseDigest(blob.digest), request, sink, 'anonymous'), noRoom);
    assert.equal(clock.monotonic(), 0);
  });
});
