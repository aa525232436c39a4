/**
 * An upstream that fails is not asked again and again: nobody waits twice for it, and it is back within seconds. Time is
 * the test's.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import type { UpstreamOptions } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { overTime } from '../support/over-time.ts';
import { pull } from '../support/pull.ts';
import { status } from '../support/upstream-faults.ts';

const seconds = 1_000;
/** Our deadlines are five seconds for a connection and ten for an answer; a busy machine may take its time on top. */
const secondsMax = 25;
const manifests = { path: '/manifests/' } as const;

const held = makeImage({ seed: 'held', layers: Array.from({ length: 10 }, () => 1_000) });
const other = makeImage({ seed: 'other' });

/** `library/app:held` is held and due; `library/app:other` is not held. */
async function scene(options: UpstreamOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const clock = new FakeClock();
  const hub = opening.use(await CountingUpstream.start({ now: () => clock.now(), ...options }));
  hub.publish('library/app:held', held);
  hub.publish('library/app:other', other);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock }));
  await pull(entrepot.origin, 'library/app', 'held');
  await entrepot.stored(11);
  await clock.advance(61 * seconds);
  hub.reset();
  const scope = opening.move();
  return {
    clock,
    hub,
    entrepot,
    fetch: (path: string) => get(`${entrepot.origin}/v2/library/app/${path}`),
    ask: (path: string) => head(`${entrepot.origin}/v2/library/app/${path}`),
    /** What the work came to, and how many seconds of the clock that took. */
    async timed<T>(work: Promise<T>): Promise<{ readonly result: T; readonly took: number }> {
      const from = clock.monotonic();
      const result = await overTime(clock, work);
      return { result, took: (clock.monotonic() - from) / seconds };
    },
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

describe('an upstream that swallows everything', () => {
  test('costs one client one wait, and the pull of ten held layers after it none (containerd#4861)', async () => {
    await using at = await scene();
    at.hub.blackhole();
    const first = await at.timed(at.ask('manifests/held'));
    assert.equal(first.result.headers['x-cache'], 'stale');
    assert.ok(first.took <= secondsMax, `${first.took} s`);
    const from = at.clock.monotonic();
    await pull(at.entrepot.origin, 'library/app', 'held');
    assert.equal(at.clock.monotonic(), from, 'no time has passed');
  });

  test('is not waited out again by anybody who can be served from what is held', async () => {
    await using at = await scene();
    at.hub.blackhole();
    await at.timed(at.ask('manifests/held'));
    for (let minutes = 0; minutes < 3; minutes++) {
      await at.clock.advance(61 * seconds);
      const next = await at.timed(at.ask('manifests/held'));
      assert.equal(next.result.headers['x-cache'], 'stale');
      assert.ok(next.took <= 2, `${next.took} s`);
    }
  });

  test('refuses what is not held after its own deadline, and from then on at once', async () => {
    await using at = await scene();
    at.hub.blackhole();
    const first = await at.timed(at.fetch('manifests/other'));
    assert.equal(first.result.status, 504);
    assert.ok(first.took <= secondsMax, `${first.took} s`);
    for (const path of ['manifests/other', 'manifests/another', `blobs/${other.config.digest}`, 'tags/list']) {
      const answer = await at.fetch(path);
      if (path === 'tags/list') assert.equal(answer.headers['x-cache'], 'stale');
      else assert.equal(answer.status, 504);
    }
  });

  for (const host of ['token', 'cdn'] as const) {
    test(`though only its ${host} does, answers every client within its deadline (harbor-helm#708)`, async () => {
      await using at = await scene({ auth: { kind: 'bearer', realm: 'other', tokenSeconds: 50 }, blobRedirects: {} });
      at.hub.blackhole(host);
      const path = host === 'token' ? 'manifests/other' : `blobs/${other.config.digest}`;
      const answers = await at.timed(together(5, () => at.fetch(path)));
      for (const { status: code } of answers.result) assert.equal(code, 504);
      assert.ok(answers.took <= secondsMax, `${answers.took} s`);
      assert.equal((await at.fetch('manifests/held')).headers['x-cache'], host === 'token' ? 'stale' : 'revalidated');
    });
  }
});

describe('a circuit', () => {
  test('opens at the first refused connection and closes within seconds of recovery (nexus-public#210)', async () => {
    await using at = await scene();
    await at.hub.down();
    assert.equal((await at.fetch('manifests/other')).status, 503);
    await at.hub.up();
    assert.equal((await at.fetch('manifests/other')).status, 503, 'it is not asked for a moment');
    assert.equal(at.hub.count(), 0);
    assert.equal((await at.fetch('manifests/held')).headers['x-cache'], 'stale', 'what is held is served all the time');

    await at.clock.advance(1 * seconds);
    assert.equal((await at.fetch('manifests/other')).status, 200);
    assert.deepEqual(
      at.entrepot.told('upstream.circuit').map(({ state }) => state),
      ['open', 'closed'],
    );
  });

  test('lets one probe through at a time, at most every five seconds', async () => {
    await using at = await scene();
    await at.hub.down();
    const before = at.entrepot.told('upstream.request').length;
    for (let second = 0; second < 60; second++) {
      const answers = await together(3, () => at.fetch('manifests/other'));
      for (const answer of answers) {
        assert.equal(answer.status, 503);
        assert.ok(Number(answer.headers['retry-after'] ?? 1) <= 5);
      }
      await at.clock.advance(1 * seconds);
    }
    const asked = at.entrepot.told('upstream.request').length - before;
    assert.ok(asked >= 12 && asked <= 18, `${asked} attempts in a minute`);
    await at.hub.up();
    await at.clock.advance(5 * seconds);
    assert.equal((await at.fetch('manifests/other')).status, 200);
  });

  test('opens after five answers of 5xx in a row, and says why to those who are refused', async () => {
    await using at = await scene();
    using broken = at.hub.fault({}, status(502));
    for (let client = 0; client < 10; client++) assert.equal((await at.ask('manifests/other')).status, 503);
    assert.equal(at.hub.count(), 5, at.hub.summary());
    const answer = await at.fetch('manifests/other');
    assert.match(answer.body.toString(), /failed a moment ago.*\(502\)/);
    assert.equal(answer.headers['retry-after'], '1');
    broken.lift();
    await at.clock.advance(1 * seconds);
    assert.equal((await at.fetch('manifests/other')).status, 200);
  });

  test('stays closed whatever an upstream says that lives: 401, 403, 404, 429', async () => {
    for (const code of [401, 403, 404, 429]) {
      await using at = await scene();
      using _ = at.hub.fault(manifests, status(code, { 'retry-after': '1' }));
      for (let client = 0; client < 8; client++) {
        await at.fetch('manifests/other');
        await at.clock.advance(2 * seconds);
      }
      assert.deepEqual(at.entrepot.told('upstream.circuit'), []);
    }
  });
});

describe('an upstream that limits us', () => {
  test('is left alone for as long as it says, and each client is told how long that is', async () => {
    await using at = await scene();
    using limit = at.hub.fault(manifests, status(429, { 'retry-after': '30' }));
    assert.equal((await at.fetch('manifests/other')).headers['retry-after'], '30');
    await at.clock.advance(10 * seconds);
    for (const answer of await together(5, () => at.fetch('manifests/other'))) {
      assert.equal(answer.status, 429);
      assert.equal(answer.headers['retry-after'], '20');
    }
    assert.equal((await at.fetch('manifests/held')).headers['x-cache'], 'stale');
    assert.equal(at.hub.count(manifests), 1, at.hub.summary());
    assert.equal((await at.fetch(`blobs/${held.config.digest}`)).status, 200);

    limit.lift();
    await at.clock.advance(21 * seconds);
    assert.equal((await at.fetch('manifests/other')).status, 200);
  });

  test('tells how much is left, which the administration shows', async () => {
    await using at = await scene({ rateLimit: { limit: 100 } });
    await at.fetch('manifests/other');
    const upstreams = JSON.parse((await at.entrepot.admin('GET /v1/upstreams')).body.toString());
    const hub = upstreams.find(({ name }: { name: string }) => name === 'docker.io');
    assert.deepEqual(hub.limit, { limit: 100, remaining: 98 });
  });
});

describe('a tag that the upstream no longer has', () => {
  test('is served stale, and asked about once a window, not once a client', async () => {
    await using at = await scene();
    at.hub.withdraw('library/app:held');
    for (let client = 0; client < 5; client++) {
      const answer = await at.fetch('manifests/held');
      assert.deepEqual(answer.body, held.bytes);
      assert.equal(answer.headers['x-cache'], 'stale');
      await at.ask('manifests/held');
    }
    assert.equal(at.hub.count(), 2, `a HEAD, and a GET since a HEAD is not believed:\n${at.hub.summary()}`);
    at.hub.publish('library/app:held', other);
    await at.clock.advance(61 * seconds);
    assert.deepEqual((await at.fetch('manifests/held')).body, other.bytes, 'it is back');
  });

  test('or denies us, the same', async () => {
    for (const code of [401, 403]) {
      await using at = await scene();
      using _ = at.hub.fault(manifests, status(code));
      for (let client = 0; client < 5; client++) {
        assert.equal((await at.fetch('manifests/held')).headers['x-cache'], 'stale');
      }
      assert.equal(at.hub.count(), 2, at.hub.summary());
    }
  });
});
