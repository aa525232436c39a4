/**
 * The operator's day: warm an image, see what is there and why, pin it, forget it, and believe the numbers.
 */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import { cli } from '../../src/cli/testing.ts';
import type { Ran } from '../../src/cli/testing.ts';
import { systemClock } from '../../src/observe/clock.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { freePort } from '../support/ports.ts';
import { pull } from '../support/pull.ts';
import { push } from '../support/push.ts';

const amd64 = makeImage({ platform: 'linux/amd64' });
const arm64 = makeImage({ platform: 'linux/arm64/v8' });
const redis = makeIndex([amd64, arm64]);

const likeDockerHub = { auth: { kind: 'bearer', realm: 'other' }, blobRedirects: {} } as const;

/** One command against that server, which must succeed unless told otherwise. */
async function run(entrepot: Entrepot, args: readonly string[], code = 0): Promise<Ran> {
  const ran = await cli([...args, '--socket', entrepot.adminSocket], { clock: systemClock });
  assert.equal(ran.code, code, `${args.join(' ')}: ${ran.notes}`);
  return ran;
}

/** The samples of the metrics page, by name and labels. */
async function metricsAt(port: number): Promise<ReadonlyMap<string, number>> {
  const { body } = await get(`http://127.0.0.1:${port}/metrics`);
  const lines = body.toString().split('\n');
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

function sum(metrics: ReadonlyMap<string, number>, name: string, ...labels: readonly string[]): number {
  const matching = [...metrics].filter(
    ([key]) => key.startsWith(`${name}{`) && labels.every((label) => key.includes(label)),
  );
  return matching.reduce((total, [, value]) => total + value, 0);
}

describe('operating', () => {
  test('an image that was warmed is pulled while its upstream is away', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const { out } = await run(entrepot, ['pull', 'redis:7']);
    assert.match(out, new RegExp(`^docker\\.io/library/redis:7 is held: ${redis.digest}, .* fetched\\.\\n$`));
    await entrepot.stored(amd64.blobs.length + arm64.blobs.length);
    hub.forbid();
    await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    assert.match((await run(entrepot, ['pull', 'redis@' + redis.digest])).out, /all of it was held/);
    hub.assertUntouched();
  });

  test('only the platforms that were asked for are fetched', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await run(entrepot, ['pull', 'redis:7', '--platform', 'linux/arm64']);
    assert.equal(hub.count({ path: `/manifests/${arm64.digest}` }), 1);
    assert.equal(hub.count({ path: `/manifests/${amd64.digest}` }), 0);
  });

  test('what is there is listed, summed up and explained without asking anybody', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await run(entrepot, ['pull', 'redis:7', '--platform', 'linux/amd64']);
    await entrepot.stored(amd64.blobs.length);
    hub.forbid();
    assert.match((await run(entrepot, ['ls'])).out, /^docker\.io\/library\/redis +7 +sha256:/m);
    assert.match((await run(entrepot, ['du'])).out, /^docker\.io +1 /m);
    const { out } = await run(entrepot, ['explain', 'redis:7']);
    assert.match(out, /^Held: a pull is served from here without asking docker\.io\. 1 of its 2 parts is not held/m);
    assert.match(out, /linux\/amd64 +held, 3 of 3 parts/);
    assert.match(out, /linux\/arm64\/v8 +missing/);
    hub.assertUntouched();
  });

  test('a repository that was purged is fetched again', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await run(entrepot, ['pull', 'redis:7']);
    await entrepot.stored(amd64.blobs.length + arm64.blobs.length);
    assert.match(
      (await run(entrepot, ['purge', 'redis', '--whole'])).out,
      /redis: 1 tag, 1 manifest and \d+ blobs are gone/,
    );
    assert.match((await run(entrepot, ['explain', 'redis:7'])).out, /^Not held: a pull fetches it/m);
    hub.reset();
    await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    for (const { digest, size } of amd64.blobs) assert.equal(hub.blobBytes(digest).sent, size);
  });

  for (const words of [
    ['explain', ''],
    ['explain', 'REDIS:v0'],
    ['purge', 'team/a'],
    ['purge', 'team/a:1', '--whole'],
    ['refresh', `redis@${redis.digest}`],
    ['ca', 'bogus'],
    ['ca', '--renew'],
  ]) {
    test(`"${words.join(' ')}" is wrong usage, and ends with 2`, async () => {
      await using entrepot = await Entrepot.start();
      const { notes, out } = await run(entrepot, words, 2);
      assert.match(notes, /\w/);
      assert.equal(out, '');
    });
  }

  test('a failing pull says why and ends with 1', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const { notes } = await run(entrepot, ['pull', 'redis:8'], 1);
    assert.match(notes, /docker\.io\/library\/redis.*see what is known of it with "entrepot explain redis:8"/);
    assert.match(
      (await run(entrepot, ['pull', 'nowhere.example/a'], 1)).notes,
      /nowhere\.example is not a known registry; add it/,
    );
  });

  test('an image that is hosted is explained from here, and nobody is asked for it', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    for (const name of ['local/app', 'library/app']) hub.publish(`${name}:1`, redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    hub.forbid();
    const host = new URL(entrepot.origin).host;
    for (const name of ['local/app', 'app']) {
      await push(entrepot.origin, name, '1', amd64);
      for (const image of [`${name}:1`, `${host}/${name}:1`, `alias.example:5000/${name}:1`]) {
        const { out } = await run(entrepot, ['explain', image]);
        assert.match(out, new RegExp(`^${name}:1\nHosted here: a pull is served from here\\.\n`));
        assert.match(out, new RegExp(`^clients ask for +${host.replace(/:.*/, '')}.*/${name}:1$`, 'm'));
      }
      assert.match((await run(entrepot, ['explain', `${name}:2`])).out, /^Hosted here, and not held: /m);
      const hint = /is hosted here: .*there is nothing to/;
      assert.match((await run(entrepot, ['pull', `${name}:1`], 1)).notes, hint);
      assert.match((await run(entrepot, ['refresh', `${name}:1`], 1)).notes, hint);
      assert.match((await run(entrepot, ['pin', `${name}:1`], 1)).notes, /is hosted here: .*never evicted/);
      const { notes } = await run(entrepot, ['purge', `${name}:1`], 1);
      const [, path] = /DELETE (\S+)/.exec(notes) ?? [];
      assert.equal((await get(entrepot.origin + path, { method: 'DELETE' })).status, 202, notes);
    }
    hub.assertUntouched();
  });

  test('in a plain registry every image is hosted, and of one upstream every bare name is its', async () => {
    await using plain = await Entrepot.start({ registryMode: true });
    await push(plain.origin, 'team/app', '1', amd64);
    assert.match((await run(plain, ['explain', 'team/app:1'])).out, /^Hosted here: a pull is served from here\.$/m);
    assert.match((await run(plain, ['pull', 'redis'], 1)).notes, /redis:latest is hosted here/);
    await using mirror = await CountingUpstream.start();
    mirror.publish('library/redis:7', redis);
    const config = { proxy: { remoteurl: mirror.origin } };
    await using cache = await Entrepot.start({ registryMode: true, config });
    const name = new URL(mirror.origin).host;
    assert.match((await run(cache, ['pull', 'library/redis:7'])).out, new RegExp(`^${name}/library/redis:7 is held`));
    assert.match((await run(cache, ['explain', `${name}/library/redis:7`])).out, /^Held: /m);
  });

  test('a pull whose content the cache cannot keep says so and ends with 1', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', makeImage({ layers: [200_000] }));
    hub.publish('library/redis:8', makeImage({ layers: [40_000, 40_000, 40_000] }));
    const config = { cache: { size: 100_000, diskfree: 0 } };
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config });
    const large = await run(entrepot, ['pull', 'redis:7'], 1);
    assert.doesNotMatch(large.out + large.notes, / held\b(?! whole)/);
    assert.match(large.notes, /is not held whole.*\n {2}1 \(200 kB\): the cache has no room for it: raise cache\.size/);
    const { notes } = await run(entrepot, ['pull', 'redis:8'], 1);
    assert.match(notes, /is not held whole.*\n.*: it did not stay: the log says why; if it was evicted, raise/);
  });

  test('the metrics count what the upstream saw', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    const debug = await freePort();
    const config = { http: { debug: { addr: `127.0.0.1:${debug}`, prometheus: { enabled: true } } } };
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config });
    await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await entrepot.stored(amd64.blobs.length);
    for (let i = 0; i < 2; i++) await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    const metrics = await metricsAt(debug);
    const requests = 'entrepot_upstream_requests_total';
    assert.equal(sum(metrics, requests, 'kind="token"'), hub.count({ host: 'token' }));
    assert.equal(sum(metrics, requests, 'kind="manifest"'), hub.count({ path: '/manifests/' }));
    assert.equal(sum(metrics, requests), hub.count(), hub.summary());
    const blobBytes = amd64.blobs.reduce((bytes, { size }) => bytes + size, 0);
    assert.equal(sum(metrics, 'entrepot_upstream_received_bytes_total', 'kind="blob"'), blobBytes);
    assert.equal(sum(metrics, 'entrepot_cache_answers_total', 'object="blob"', 'outcome="miss"'), amd64.blobs.length);
    assert.equal(
      sum(metrics, 'entrepot_cache_answers_total', 'object="blob"', 'outcome="hit"'),
      2 * amd64.blobs.length,
    );
    assert.equal(sum(metrics, 'entrepot_downloads_open'), 0);
    assert.equal(sum(metrics, 'entrepot_downloads_total', 'end="stored"'), amd64.blobs.length);
    const ready = await get(`http://127.0.0.1:${debug}/readyz`);
    assert.equal(ready.status, 200);
  });

  test('a second server that would take the same socket is told so, and the first goes on', async () => {
    await using first = await Entrepot.start();
    const config = { admin: { socket: first.adminSocket } };
    await assert.rejects(Entrepot.start({ config }), /another server listens on .*; stop it, or set admin\.socket/);
    await run(first, ['pin']);
  });

  test('IPv6 is an address like any other', async (t) => {
    const loopback = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));
    if (!loopback) return t.skip('this machine has no IPv6');
    await using entrepot = await Entrepot.start({ config: { http: { addr: '[::1]:0' } } });
    assert.match(entrepot.origin, /^http:\/\/\[::1\]:\d+$/);
    assert.equal((await get(`${entrepot.origin}/v2/`)).status, 200);
  });
});
