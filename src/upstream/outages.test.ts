import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseReference, parseTag } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob, makeImage } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { illRunMax } from './circuit.ts';
import { pauseSecondsDefault } from './pauses.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const image = makeImage();
const [layer] = image.layers;
assert.ok(layer);
const tag = parseReference('7');

async function start(): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start();
  registry.publish('library/redis:7', image);
  return registry;
}

describe('an upstream that', () => {
  test('is down fails the next request at once, and is asked again a second later', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    await using rig = makeRig(registry.origin, {}, { clock });
    await registry.down();
    const first = await failureOf(rig.repository.resolve(tag, 'anonymous'));
    assert.equal(first.code, 'UPSTREAM_UNREACHABLE');
    assert.match(first.message, /cannot be reached.*ECONNREFUSED.*; check the network/);
    const second = await failureOf(rig.repository.resolve(tag, 'anonymous'));
    assert.equal(second.code, 'UPSTREAM_UNREACHABLE');
    assert.equal(second.retryAfterSeconds, 1);
    assert.match(second.message, /is not asked.*try again in 1 s/);
    assert.equal(rig.upstream.status().circuit, 'open');
    assert.match(rig.upstream.status().lastError ?? '', /cannot be reached.*ECONNREFUSED/);
    await registry.up();
    await clock.advance(1000);
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    assert.equal(rig.upstream.status().circuit, 'closed');
    assert.equal(rig.upstream.status().lastError, undefined);
    const states = rig.events.flatMap((event) => (event.type === 'upstream.circuit' ? [event.state] : []));
    assert.deepEqual(states, ['open', 'closed']);
  });

  test('does not answer is given up after the headers time, and not waited for again', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({}, faults.hang());
    await using rig = makeRig(registry.origin, {}, { clock });
    const running = failureOf(rig.repository.resolve(tag, 'anonymous'));
    await registry.ledger.arrived({});
    await clock.advance(10_000);
    const failure = await running;
    assert.equal(failure.code, 'UPSTREAM_TIMEOUT');
    assert.match(failure.message, /no answer within 10000 ms/);
    assert.equal((await failureOf(rig.repository.resolve(tag, 'anonymous'))).code, 'UPSTREAM_TIMEOUT');
    assert.equal(registry.count(), 1);
  });

  test('is away at several origins is told to be so once, and to be back when all are', async () => {
    const clock = new FakeClock();
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin, {}, { clock });
    await registry.down('cdn');
    await failureOf(fetchBlob(rig.repository, layer.digest));
    await registry.down('registry');
    await failureOf(rig.repository.resolve(tag, 'anonymous'));
    await registry.up('registry');
    await registry.up('cdn');
    await clock.advance(5_000);
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    assert.equal(rig.upstream.status().circuit, 'open');
    await fetchBlob(rig.repository, layer.digest);
    assert.equal(rig.upstream.status().circuit, 'closed');
    const states = rig.events.flatMap((event) => (event.type === 'upstream.circuit' ? [event.state] : []));
    assert.deepEqual(states, ['open', 'closed']);
  });

  test('sends a small answer drop by drop is given up, too', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({ path: '/manifests/' }, faults.stall(100));
    await using rig = makeRig(registry.origin, {}, { clock });
    const running = failureOf(rig.repository.manifest(tag, 'anonymous'));
    await registry.ledger.arrived({});
    while (registry.ledger.entries[0]?.bytesSent !== 100) await new Promise((resolve) => setImmediate(resolve));
    await clock.pending(1);
    await clock.advance(30_000);
    assert.equal((await running).code, 'UPSTREAM_TIMEOUT');
  });

  test('answers 5xx several times in a row is left alone for a while', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({}, faults.status(502));
    await using rig = makeRig(registry.origin, {}, { clock });
    for (let asked = 0; asked < 10; asked++) {
      const failure = await failureOf(rig.repository.resolve(tag, 'anonymous'));
      assert.equal(failure.code, 'UPSTREAM_FAILED');
      assert.equal(failure.upstreamStatus, 502);
    }
    assert.equal(registry.count(), 5);
  });

  test('cuts bodies off once they have begun is well', async () => {
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.cut(100));
    await using rig = makeRig(registry.origin);
    for (let asked = 0; asked < 2 * illRunMax; asked++) {
      assert.equal((await failureOf(fetchBlob(rig.repository, layer.digest))).code, 'UPSTREAM_UNREACHABLE');
    }
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    assert.equal(rig.upstream.status().circuit, 'closed');
  });

  test('cuts bodies off before their first byte is left alone for a while', async () => {
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.cut(0));
    await using rig = makeRig(registry.origin, {}, { clock: new FakeClock() });
    for (let asked = 0; asked < illRunMax; asked++) await failureOf(fetchBlob(rig.repository, layer.digest));
    assert.equal(rig.upstream.status().circuit, 'open');
  });

  test('falls silent in the middle of many blobs at once is still asked', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({ path: '/blobs/' }, faults.stall(100));
    await using rig = makeRig(registry.origin, {}, { clock });
    const pieces: Uint8Array[] = [];
    const stalled = Array.from({ length: illRunMax }, () =>
      failureOf(fetchBlob(rig.repository, layer.digest, {}, 'anonymous', pieces)),
    );
    while (Buffer.concat(pieces).length < illRunMax * 100) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(30_000);
    for (const failure of await Promise.all(stalled)) assert.equal(failure.code, 'UPSTREAM_TIMEOUT');
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
  });

  test('comes back with a long body is asked by others before that has ended', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    await using rig = makeRig(registry.origin, {}, { clock });
    await registry.down();
    await failureOf(rig.repository.resolve(tag, 'anonymous'));
    await registry.up();
    await clock.advance(1000);
    registry.fault({ path: '/blobs/' }, faults.stall(100));
    const pieces: Uint8Array[] = [];
    const probe = failureOf(fetchBlob(rig.repository, layer.digest, {}, 'anonymous', pieces));
    while (pieces.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    await clock.advance(30_000);
    await probe;
    assert.equal(rig.upstream.status().circuit, 'closed');
  });

  test('answers 4xx is well', async () => {
    await using registry = await start();
    registry.fault({}, faults.status(404));
    await using rig = makeRig(registry.origin);
    for (let asked = 0; asked < 10; asked++) assert.equal(await rig.repository.manifest(tag, 'anonymous'), undefined);
    assert.equal(rig.upstream.status().circuit, 'closed');
  });

  test('limits us is not asked before the time it told, and other identities and blobs are not held up', async () => {
    const clock = new FakeClock();
    await using registry = await start();
    registry.fault({ path: '/manifests/', times: 1 }, faults.status(429, { 'retry-after': '30' }));
    await using rig = makeRig(registry.origin, {}, { clock });
    assert.equal((await failureOf(rig.repository.resolve(tag, 'anonymous'))).retryAfterSeconds, 30);
    await clock.advance(10_000);
    const failure = await failureOf(rig.repository.resolve(parseTag('8'), 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_LIMITED');
    assert.equal(failure.retryAfterSeconds, 20);
    assert.equal(registry.count(), 1);
    assert.ok((await fetchBlob(rig.repository, layer.digest)).found);
    await clock.advance(20_000);
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    assert.equal(rig.upstream.status().circuit, 'closed');
  });

  for (const unsaid of [undefined, '-5', 'Sat, 01 Jan 2000 00:00:00 GMT']) {
    test(`limits us, and says ${unsaid ?? 'nothing'} of how long, is left alone for as long as everybody is told`, async () => {
      const clock = new FakeClock();
      await using registry = await start();
      registry.fault({}, faults.status(429, unsaid === undefined ? {} : { 'retry-after': unsaid }));
      await using rig = makeRig(registry.origin, {}, { clock });
      const first = await failureOf(rig.repository.resolve(tag, 'anonymous'));
      assert.equal(first.retryAfterSeconds, pauseSecondsDefault);
      assert.match(first.message, /try again in 10 s, or set upstreams\.reg\.test\.credentials/);
      const second = await failureOf(rig.repository.resolve(tag, 'anonymous'));
      assert.equal(second.retryAfterSeconds, pauseSecondsDefault);
      assert.equal(registry.count(), 1);
    });
  }

  test('limits us for no time at all is asked again at once', async () => {
    await using registry = await start();
    registry.fault({ times: 1 }, faults.status(429, { 'retry-after': '0' }));
    await using rig = makeRig(registry.origin);
    assert.equal((await failureOf(rig.repository.resolve(tag, 'anonymous'))).retryAfterSeconds, 0);
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
  });

  test('closed an idle connection is asked on a new one, once', async () => {
    await using registry = await start();
    await using rig = makeRig(registry.origin);
    await rig.repository.resolve(tag, 'anonymous');
    registry.fault({ times: 1 }, faults.close());
    assert.ok(await rig.repository.resolve(tag, 'anonymous'));
    registry.fault({ times: 2 }, faults.close());
    assert.equal((await failureOf(rig.repository.resolve(tag, 'anonymous'))).code, 'UPSTREAM_UNREACHABLE');
  });

  test('tells its limit is shown with it, and each change is an event', async () => {
    await using registry = await CountingUpstream.start({ rateLimit: { limit: 100 } });
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin);
    await rig.repository.resolve(tag, 'anonymous');
    await rig.repository.resolve(tag, 'anonymous');
    await rig.repository.manifest(tag, 'anonymous');
    assert.deepEqual(rig.upstream.status().limit, { limit: 100, remaining: 99 });
    const told = rig.events.flatMap((event) => (event.type === 'upstream.limit' ? [event.remaining] : []));
    assert.deepEqual(told, [100, 99]);
  });
});

test('every request is told with what came of it', async () => {
  await using registry = await CountingUpstream.start({ auth: { kind: 'bearer' }, blobRedirects: {} });
  const blob = makeBlob(5000, 'told');
  registry.publishBlob('library/redis', blob);
  await using rig = makeRig(registry.origin);
  await fetchBlob(rig.repository, blob.digest);
  const told = rig.events.flatMap((event) =>
    event.type === 'upstream.request' ? [[event.kind, event.method, event.status, event.failure]] : [],
  );
  assert.deepEqual(told, [
    ['blob', 'GET', 401, undefined],
    ['token', 'GET', 200, undefined],
    ['blob', 'GET', 307, undefined],
    ['blob', 'GET', 200, undefined],
  ]);
});

describe('a check', () => {
  test('finds nothing wrong with a registry, with or without credentials', async () => {
    for (const auth of [undefined, { kind: 'bearer' }, { kind: 'basic' }] as const) {
      await using registry = await CountingUpstream.start(auth === undefined ? {} : { auth });
      await using rig = makeRig(registry.origin);
      assert.equal((await rig.upstream.check()).lastError, undefined);
    }
  });

  const wrong = [
    ['a web page', faults.html200(), /answered with a web page/],
    ['something else', faults.status(200, {}, 'hello'), /does not answer as a registry does/],
    ['404', faults.status(404), /answered 404/],
    ['500', faults.status(500), /failed \(500\)/],
  ] as const;
  for (const [what, fault, message] of wrong) {
    test(`says what is wrong with ${what}`, async () => {
      await using registry = await start();
      registry.fault({}, fault);
      await using rig = makeRig(registry.origin);
      assert.match((await rig.upstream.check()).lastError ?? '', message);
    });
  }
});
