/**
 * Tags move. How often the upstream is asked where one points, and what becomes of the answer. Time is the test's.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, together } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { noDigestHeader, status } from '../support/upstream-faults.ts';

const seconds = 1_000;
const hours = 3_600_000;

const yesterday = makeImage({ seed: 'yesterday' });
const today = makeImage({ seed: 'today' });
const heads = { method: 'HEAD', path: '/manifests/' } as const;
const gets = { method: 'GET', path: '/manifests/' } as const;

/** A registry with `library/app:latest`, and the cache before it, which has never been asked. */
async function scene(config: Readonly<Record<string, unknown>> = {}) {
  const clock = new FakeClock();
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start({ now: () => clock.now() }));
  hub.publish('library/app:latest', yesterday);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock, config }));
  const url = (reference: string): string => `${entrepot.origin}/v2/library/app/manifests/${reference}`;
  const scope = opening.move();
  return {
    clock,
    hub,
    entrepot,
    /** GET of a manifest, as dockerd's oldest versions ask for a tag. */
    fetch: (reference: string, headers: Readonly<Record<string, string>> = {}) => get(url(reference), { headers }),
    /** HEAD of a manifest, as everybody asks for a tag. */
    ask: (reference: string) => head(url(reference)),
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

const digestOf = ({ headers }: Answer): unknown => headers['docker-content-digest'];

describe('a tag', () => {
  test('is fresh for a minute: nothing is asked, and Age says how long ago it was', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.forbid();
    await at.clock.advance(59 * seconds);
    for (const answer of [await at.fetch('latest'), await at.ask('latest')]) {
      assert.equal(answer.headers['x-cache'], 'hit');
      assert.equal(answer.headers.age, '59');
    }
    at.hub.assertUntouched();
  });

  test('is due after that: one HEAD, which makes it fresh again', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.reset();
    await at.clock.advance(61 * seconds);
    const answer = await at.fetch('latest');
    assert.equal(answer.headers['x-cache'], 'revalidated');
    assert.equal(answer.headers.age, '0');
    await at.clock.advance(59 * seconds);
    assert.equal((await at.fetch('latest')).headers['x-cache'], 'hit');
    assert.equal(at.hub.count(heads), 1);
    assert.equal(at.hub.count(), 1, at.hub.summary());
  });

  test('that the upstream has withdrawn is asked for once a minute, however often clients ask', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.withdraw('library/app:latest');
    at.hub.reset();
    for (let asked = 0; asked < 12; asked += 1) {
      await at.clock.advance(20 * seconds);
      const answer = await at.fetch('latest');
      assert.equal(answer.headers['x-cache'], asked < 2 ? 'hit' : 'stale');
    }
    assert.equal(at.hub.count(heads), 4, at.hub.summary());
  });

  test('that is due for fifty clients at once costs one HEAD', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.reset();
    await at.clock.advance(61 * seconds);
    const gate = at.hub.gate(heads);
    const answers = together(50, (position) => (position % 2 === 0 ? at.fetch('latest') : at.ask('latest')));
    await gate.arrived();
    gate.release();
    for (const answer of await answers) assert.equal(digestOf(answer), yesterday.digest);
    assert.equal(at.hub.count(), 1, at.hub.summary());
  });

  test('is fresh for as long as the first pattern that fits it says', async () => {
    const freshness = [
      { tags: 'latest', for: 0 },
      { tags: 'v*', for: 'forever' },
      { tags: '*', for: '1h' },
    ];
    await using at = await scene({ upstreams: { 'docker.io': { freshness } } });
    for (const tag of ['v1', 'nightly']) at.hub.publish(`library/app:${tag}`, yesterday);
    const askedFor = async (tag: string): Promise<number> => {
      at.hub.reset();
      await at.fetch(tag);
      assert.equal(at.hub.count(gets), 0);
      return at.hub.count(heads);
    };
    for (const tag of ['latest', 'v1', 'nightly']) await at.fetch(tag);
    assert.deepEqual([await askedFor('latest'), await askedFor('latest')], [1, 1], 'every time');
    await at.clock.advance(hours - seconds);
    assert.deepEqual([await askedFor('nightly'), await askedFor('v1')], [0, 0]);
    await at.clock.advance(2 * seconds);
    assert.deepEqual([await askedFor('nightly'), await askedFor('v1')], [1, 0]);
    await at.clock.advance(400 * 24 * hours);
    assert.equal(await askedFor('v1'), 0, 'never again');
  });

  test('is asked for at once when the client insists, with a HEAD', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.reset();
    at.hub.publish('library/app:latest', today);
    assert.equal(digestOf(await at.fetch('latest')), yesterday.digest);
    assert.equal(at.hub.count(), 0);
    assert.equal(digestOf(await at.fetch('latest', { 'cache-control': 'no-cache' })), today.digest);
    assert.equal(at.hub.count(heads), 1);
    assert.equal(at.hub.count(gets), 1, 'for the manifest that is new');
  });

  test('by its digest is never asked for again', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.forbid();
    await at.clock.advance(400 * 24 * hours);
    assert.deepEqual((await at.fetch(yesterday.digest)).body, yesterday.bytes);
    assert.deepEqual((await at.fetch(yesterday.digest, { 'cache-control': 'no-cache' })).body, yesterday.bytes);
    at.hub.assertUntouched();
  });
});

describe('a tag that moved', () => {
  test('costs one HEAD and one GET, and what it pointed at before is still there by digest', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.publish('library/app:latest', today);
    at.hub.reset();
    await at.clock.advance(61 * seconds);
    const answer = await at.fetch('latest');
    assert.deepEqual(answer.body, today.bytes);
    assert.equal(answer.headers['x-cache'], 'miss');
    assert.equal(at.hub.count(heads), 1);
    assert.equal(at.hub.count(gets), 1);
    assert.equal(at.hub.count(), 2, at.hub.summary());
    assert.deepEqual((await at.fetch(yesterday.digest)).body, yesterday.bytes);
  });

  test('replaces nothing until its manifest is held', async () => {
    await using at = await scene();
    await at.fetch('latest');
    at.hub.publish('library/app:latest', today);
    await at.clock.advance(61 * seconds);
    using broken = at.hub.fault(gets, status(503));
    // Told of the new one, a client such as containerd would ask for it by its digest, and fail.
    const described = await at.ask('latest');
    assert.equal(digestOf(described), yesterday.digest);
    assert.equal(described.headers['x-cache'], 'stale');

    const stale = await at.fetch('latest');
    assert.deepEqual(stale.body, yesterday.bytes);
    assert.equal(stale.headers['x-cache'], 'stale');
    await at.hub.down();
    assert.deepEqual((await at.fetch('latest')).body, yesterday.bytes);

    broken.lift();
    await at.hub.up();
    await at.clock.advance(61 * seconds);
    assert.deepEqual((await at.fetch('latest')).body, today.bytes);
  });

  test('is held once its manifest has come by digest, as clients fetch it', async () => {
    await using at = await scene();
    await pull(at.entrepot.origin, 'library/app', 'latest');
    at.hub.publish('library/app:latest', today);
    await at.clock.advance(61 * seconds);
    await at.ask('latest');
    await at.fetch(today.digest);
    await at.hub.down();
    await at.clock.advance(61 * seconds);
    const answer = await at.fetch('latest');
    assert.deepEqual(answer.body, today.bytes);
    assert.equal(answer.headers['x-cache'], 'stale');
  });
});

describe('HEAD', () => {
  test('of a tag, then GETs of the index and its child by digest, is all it takes to hold them (harbor#20920)', async () => {
    await using at = await scene();
    const index = makeIndex([makeImage({ platform: 'linux/amd64' }), makeImage({ platform: 'linux/arm64' })]);
    at.hub.publish('library/app:latest', index);
    const platforms = ['linux/amd64', 'linux/arm64'];
    for (const platform of platforms) await pull(at.entrepot.origin, 'library/app', 'latest', { platform });
    assert.equal(at.hub.count({ ...gets, path: '/manifests/latest' }), 0);
    await at.entrepot.stored(6);
    await at.hub.down();
    await at.clock.advance(24 * hours);
    for (const platform of platforms) await pull(at.entrepot.origin, 'library/app', 'latest', { platform });
    for (const reference of ['latest', index.digest]) {
      assert.deepEqual((await at.fetch(reference)).body, index.bytes, 'byte for byte, with every platform');
    }
  });

  test('by one who polls costs a HEAD a minute and never a GET, which registries count', async () => {
    await using at = await scene();
    for (let minute = 0; minute < 30; minute++) {
      await at.ask('latest');
      await at.ask('latest');
      await at.clock.advance(60 * seconds);
    }
    assert.equal(at.hub.count(heads), 30);
    assert.equal(at.hub.count(gets), 0);
  });

  test('that tells nothing is followed by one GET a minute, whose manifest is kept (distribution#4747)', async () => {
    for (const fault of [status(404), status(405), status(401), status(403), noDigestHeader()]) {
      await using at = await scene();
      at.hub.fault(heads, fault);
      for (let poll = 0; poll < 3; poll++) assert.equal(digestOf(await at.ask('latest')), yesterday.digest);
      assert.equal(at.hub.count(gets), 1);
      await at.clock.advance(61 * seconds);
      for (let poll = 0; poll < 3; poll++) assert.equal(digestOf(await at.ask('latest')), yesterday.digest);
      assert.equal(at.hub.count(gets), 2);
    }
  });
});
