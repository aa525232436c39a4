/**
 * The configuration changes while the server runs: upstreams, credentials, rules. Nobody has to restart it.
 */
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { get, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { until } from '../support/over-time.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ layers: [200_000] });
/** The server looks at its files by the clock. */
const lookMs = 500;

const manifest = async (entrepot: Entrepot, ns: string, name = 'team/app'): Promise<number> =>
  (await get(`${entrepot.origin}/v2/${name}/manifests/1?ns=${ns}`)).status;

describe('a new configuration', () => {
  test('brings upstreams and takes them away', async () => {
    await using corp = await CountingUpstream.start();
    corp.publish('team/app:1', image);
    await using entrepot = await Entrepot.start();
    assert.equal(await manifest(entrepot, 'registry.corp'), 404);
    await entrepot.configure({ upstreams: { 'registry.corp': { url: corp.origin } } });
    assert.equal(await manifest(entrepot, 'registry.corp'), 200);
    await entrepot.configure({});
    assert.equal(await manifest(entrepot, 'registry.corp'), 404, 'held, but no longer anybody’s');
    await entrepot.configure({ upstreams: { 'registry.corp': { url: corp.origin } } });
    corp.forbid();
    assert.equal(await manifest(entrepot, 'registry.corp'), 200, 'still held');
    corp.assertUntouched();
  });

  test('counts from the next request on: rules, freshness, offline', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('team/app:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    assert.equal(await manifest(entrepot, 'docker.io'), 200);
    await entrepot.configure({ upstreams: { 'docker.io': { freshness: 0 } } });
    hub.reset();
    await manifest(entrepot, 'docker.io');
    await manifest(entrepot, 'docker.io');
    assert.equal(hub.count({ method: 'HEAD' }), 2);
    await entrepot.configure({ upstreams: { 'docker.io': { deny: ['team/**'] } } });
    const refused = await get(`${entrepot.origin}/v2/team/app/manifests/1`);
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /upstreams\.\\"docker\.io\\"\.deny: \\"team\/\*\*\\"/);
  });

  test('names what waits for a restart', async () => {
    await using entrepot = await Entrepot.start();
    await entrepot.configure({ cache: { size: '7GB' } });
    const [told] = entrepot.told('config.notice');
    assert.match(told?.message ?? '', /different now: .*cache\.size.*; restart/);
  });

  test('leaves what is under way alone', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('team/app:1', image);
    const [layer = image.config] = image.layers;
    const gate = hub.gate({ path: layer.digest }, { at: 100_000 });
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const reading = await open(`${entrepot.origin}/v2/team/app/blobs/${layer.digest}`);
    await gate.arrived();
    await entrepot.configure({ upstreams: { 'docker.io': { concurrency: 3 } } });
    gate.release();
    assert.deepEqual(await reading.rest(), layer.bytes());
    assert.equal(hub.blobBytes(layer.digest).sent, layer.size);
  });

  test('is noticed without being told', async () => {
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock });
    await appendFile(entrepot.configFile, '# changed\n');
    await until(clock, () => entrepot.told('config.reloaded').length === 1, lookMs);
  });
});

describe('an invalid configuration', () => {
  test('changes nothing, says where and what, and is forgotten once it is right', async () => {
    const clock = new FakeClock();
    await using hub = await CountingUpstream.start({ now: () => clock.now() });
    hub.publish('team/app:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, clock });
    await pull(entrepot.origin, 'team/app', '1');
    await writeFile(entrepot.configFile, 'version: 0.1\ncache: { sizze: 3GB }\n');
    await until(clock, () => entrepot.told('config.invalid').length === 1, lookMs);
    const [told] = entrepot.told('config.invalid');
    assert.match(told?.message ?? '', /entrepot\.yml:2:10: cache\.sizze: unknown key; write size/);
    await clock.advance(120_000);
    await pull(entrepot.origin, 'team/app', '1');
    assert.equal(entrepot.told('config.invalid').length, 1, 'once is enough');
    assert.equal(entrepot.told('config.reloaded').length, 0);

    await writeFile(entrepot.configFile, 'version: 0.1\ncache: { size: 3GB }\n');
    await until(clock, () => entrepot.told('config.reloaded').length === 1, lookMs);
  });
});

describe('credentials', () => {
  const auth = { kind: 'bearer', users: { cache: 'right' }, private: ['team/app'] } as const;

  test('that were wrong work as soon as their file is right (nexus-public#639)', async () => {
    await using directory = await TempDir.make();
    const passwordfile = directory.join('password');
    await writeFile(passwordfile, 'wrong\n');
    await using quay = await CountingUpstream.start({ auth });
    quay.publish('team/app:1', image);
    await using entrepot = await Entrepot.start({
      upstreams: { 'quay.io': quay },
      config: { upstreams: { 'quay.io': { exposure: 'anyone', credentials: { username: 'cache', passwordfile } } } },
    });
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
    await writeFile(passwordfile, 'right\n');
    assert.equal(await manifest(entrepot, 'quay.io'), 200);
  });

  test('that are rotated at both ends are taken without an error', async () => {
    await using directory = await TempDir.make();
    const passwordfile = directory.join('password');
    await writeFile(passwordfile, 'right\n');
    await using quay = await CountingUpstream.start({ auth });
    quay.publish('team/app:1', image);
    await using entrepot = await Entrepot.start({
      upstreams: { 'quay.io': quay },
      config: {
        upstreams: {
          'quay.io': { exposure: 'anyone', freshness: 0, credentials: { username: 'cache', passwordfile } },
        },
      },
    });
    assert.equal(await manifest(entrepot, 'quay.io'), 200);
    quay.gatekeeper.setPassword('cache', 'rotated');
    quay.gatekeeper.revokeTokens();
    await writeFile(passwordfile, 'rotated\n');
    assert.equal(await manifest(entrepot, 'quay.io'), 200);
    assert.deepEqual(entrepot.told('cache.stale'), []);
  });

  test('that come do not open what anybody had asked for in vain before', async () => {
    await using quay = await CountingUpstream.start({ auth });
    quay.publish('team/app:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'quay.io': quay } });
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
    await entrepot.configure({ upstreams: { 'quay.io': { credentials: { username: 'cache', password: 'right' } } } });
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
    await entrepot.restart();
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
  });

  test('that go leave nobody what they had brought', async () => {
    await using quay = await CountingUpstream.start({ auth });
    quay.publish('team/app:1', image);
    quay.publish('team/open:1', makeImage({ seed: 'open' }));
    await using entrepot = await Entrepot.start({
      upstreams: { 'quay.io': quay },
      config: { upstreams: { 'quay.io': { credentials: { username: 'cache', password: 'right' } } } },
    });
    await entrepot.admin('POST /v1/pull', { image: 'quay.io/team/app:1' });
    await pull(entrepot.origin, 'team/open', '1', { ns: 'quay.io' });
    await entrepot.configure({});
    assert.equal(await manifest(entrepot, 'quay.io'), 403);
    assert.equal((await get(`${entrepot.origin}/v2/quay.io/team/app/blobs/${image.config.digest}`)).status, 403);
    assert.equal((await get(`${entrepot.origin}/v2/quay.io/team/open/blobs/${image.config.digest}`)).status, 404);
    await pull(entrepot.origin, 'team/open', '1', { ns: 'quay.io' });
  });
});
