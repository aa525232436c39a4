/**
 * The machine comes back and the network does not. What was held before is served as before.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';
import { through } from '../support/tunnel.ts';

const amd64 = makeImage({ platform: 'linux/amd64' });
const redis = makeIndex([amd64, makeImage({ platform: 'linux/arm64' })]);

/** Every way to ask for the image that is held. */
async function pullByEveryDoor(origin: string): Promise<void> {
  const ca = (await get(`${origin}/ca.crt?ca=interception`)).body.toString();
  const agent = through(Number(new URL(origin).port), { target: 'registry-1.docker.io:443', ca });
  for (const reference of ['7', redis.digest, amd64.digest]) {
    await pull(origin, 'library/redis', reference, { ns: 'docker.io' });
    await pullAsDockerd(origin, 'library/redis', reference);
    await pull(origin, 'docker.io/library/redis', reference);
    await pull(`${origin}/docker.io`, 'redis', reference);
    await pull('http://registry-1.docker.io', 'library/redis', reference, { agent });
  }
}

describe('after a restart', () => {
  test('what is held is held: nobody is asked, and what was fresh is fresh', async () => {
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer' } });
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, clock: new FakeClock(Date.now()) });
    await pull(entrepot.origin, 'library/redis', '7');
    await entrepot.stored(3);
    await entrepot.restart();
    hub.forbid();
    await pullByEveryDoor(entrepot.origin);
    hub.assertUntouched();
  });

  test('in which the upstream went dark, it listens at once, asks nobody, and serves by tag and digest (distribution#1435)', async () => {
    const impatient = { freshness: 0, timeouts: { headers: '1s' } };
    for (const darkness of ['down', 'blackhole'] as const) {
      await using hub = await CountingUpstream.start();
      hub.publish('library/redis:7', redis);
      await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
      await pull(entrepot.origin, 'library/redis', '7');
      await entrepot.stored(3);
      await entrepot.configure({ upstreams: { 'docker.io': impatient } });
      await entrepot.stop();
      await hub[darkness]();

      const before = entrepot.told('upstream.request').length;
      await entrepot.restart();
      assert.equal(entrepot.told('upstream.request').length, before, 'nothing is fetched before somebody asks');
      await pullByEveryDoor(entrepot.origin);
      const { headers } = await get(`${entrepot.origin}/v2/library/redis/manifests/7`);
      assert.equal(headers['x-cache'], 'stale');
    }
  });

  test('a pull-through cache of one registry, as registry:2 has it, serves what it held, too', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ config: { proxy: { remoteurl: hub.origin } } });
    await pullAsDockerd(entrepot.origin, 'library/redis', '7');
    await entrepot.stored(3);
    await hub.down();
    await entrepot.restart();
    await pullAsDockerd(entrepot.origin, 'library/redis', '7');
    await pullAsDockerd(entrepot.origin, 'library/redis', redis.digest);
  });

  test('by force, what was held is served by a process that finds no network (distribution#4038)', async () => {
    await using directory = await TempDir.make();
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', redis);
    const options = {
      directory: directory.path,
      config: { upstreams: { 'docker.io': { url: hub.origin } }, http: { debug: { addr: '127.0.0.1:0' } } },
    };
    {
      await using server = await ServerProcess.start(options);
      await pull(server.origin, 'library/redis', '7');
      await server.printed(new RegExp(`(?:kept[^]*){3}`));
      await server.kill();
    }
    await hub.down();
    await using server = await ServerProcess.start(options);
    await pullByEveryDoor(server.origin);
  });
});

describe('told to stay offline (cache.offline)', () => {
  test('it serves what is held and asks nobody, however due and however much a client insists', async () => {
    const day = 24 * 3_600_000;
    // Certificates are looked at by the real clock.
    const clock = new FakeClock(Date.now() - day);
    await using hub = await CountingUpstream.start({ now: () => clock.now() });
    hub.publish('library/redis:7', redis);
    await using directory = await TempDir.make();
    const options = { upstreams: { 'docker.io': hub }, clock, directory: directory.path };
    {
      await using entrepot = await Entrepot.start(options);
      await pull(entrepot.origin, 'library/redis', '7');
      await entrepot.stored(3);
    }
    await clock.advance(day);
    hub.forbid();
    await using entrepot = await Entrepot.start({ ...options, config: { cache: { offline: true } } });
    await pullByEveryDoor(entrepot.origin);
    await pull(entrepot.origin, 'library/redis', '7', { headers: { 'cache-control': 'no-cache' } });
    hub.assertUntouched();
  });

  test('it refuses what is not held with a sentence that names the setting', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({
      upstreams: { 'docker.io': hub },
      config: { cache: { offline: true } },
    });
    hub.forbid();
    for (const path of ['manifests/7', `manifests/${redis.digest}`, `blobs/${amd64.config.digest}`, 'tags/list']) {
      const url = `${entrepot.origin}/v2/library/redis/${path}`;
      const answer = await get(url);
      assert.equal(answer.status, 503);
      assert.match(answer.body.toString(), /cache\.offline/);
      assert.equal((await head(url)).status, 503);
    }
    hub.assertUntouched();
  });
});
