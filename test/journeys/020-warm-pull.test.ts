/**
 * Somebody has pulled it before. From then on the upstream is not asked, by whatever door the next one comes.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, keepAlive, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeBlob, makeImage, makeIndex } from '../support/images.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';

const amd64 = makeImage({ platform: 'linux/amd64' });
const arm64 = makeImage({ platform: 'linux/arm64/v8' });
const redis = makeIndex([amd64, arm64]);

describe('a warm pull', () => {
  test('asks the upstream nothing, by no door, by tag or by digest', async () => {
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer' }, blobRedirects: {} });
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const { origin } = entrepot;
    await pull(origin, 'library/redis', '7', { ns: 'docker.io' });
    await entrepot.stored(3);

    hub.forbid();
    await pull(origin, 'library/redis', '7', { ns: 'docker.io' });
    await pull(origin, 'library/redis', redis.digest, { ns: 'registry-1.docker.io' });
    await pull(origin, 'library/redis', amd64.digest);
    await pullAsDockerd(origin, 'library/redis', '7');
    await pull(origin, 'docker.io/library/redis', '7');
    await pull(`${origin}/docker.io`, 'redis', '7');
    await pull(origin, 'redis', '7');
    hub.assertUntouched();
  });

  test('says that it is a hit, and how old', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', amd64);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'library/redis', '7');
    await entrepot.stored(3);
    for (const path of ['manifests/7', `manifests/${amd64.digest}`, `blobs/${amd64.config.digest}`]) {
      for (const ask of [head, get]) {
        const { headers } = await ask(`${entrepot.origin}/v2/library/redis/${path}`);
        assert.equal(headers['x-cache'], 'hit', path);
        assert.match(String(headers.age), /^\d$/);
      }
    }
  });

  test('by many at once, over one connection each or over new ones, gets the same bytes', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', amd64);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const { origin } = entrepot;
    await pull(origin, 'library/redis', '7');
    await entrepot.stored(3);
    hub.forbid();
    await together(40, async (position) => {
      using agent = keepAlive();
      await (position % 2 === 0 ? pull(origin, 'library/redis', '7', { agent }) : pullAsDockerd(origin, 'redis', '7'));
    });
    hub.assertUntouched();
  });

  test('answers "do you have another one than this" with 304 and no body', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', amd64);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    for (const path of ['manifests/7', `manifests/${amd64.digest}`, `blobs/${amd64.config.digest}`]) {
      const url = `${entrepot.origin}/v2/library/redis/${path}`;
      const { headers, body } = await get(url);
      const again = await get(url, { headers: { 'if-none-match': String(headers.etag) } });
      assert.equal(again.status, 304);
      assert.equal(again.body.length, 0);
      assert.equal(again.headers.etag, headers.etag);
      const other = await get(url, { headers: { 'if-none-match': '"sha256:0"' } });
      assert.deepEqual(other.body, body);
    }
  });

  test('reads any part of a blob', async () => {
    await using hub = await CountingUpstream.start();
    const image = makeImage({ layers: [300_000] });
    hub.publish('library/redis:7', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'library/redis', '7');
    await entrepot.stored(2);
    const [layer = image.config] = image.layers;
    const part = async (range: string) =>
      await get(`${entrepot.origin}/v2/library/redis/blobs/${layer.digest}`, { headers: { range } });
    hub.forbid();
    const cases = { 'bytes=0-0': [0, 1], 'bytes=100-199': [100, 200], 'bytes=-10': [299_990, 300_000] } as const;
    for (const [range, [start, end]] of Object.entries(cases)) {
      const { status, headers, body } = await part(range);
      assert.equal(status, 206);
      assert.equal(headers['content-range'], `bytes ${start}-${end - 1}/300000`);
      assert.deepEqual(body, layer.bytes().subarray(start, end), range);
    }
    assert.deepEqual((await part('bytes=299999-')).body, layer.bytes().subarray(299_999));
    assert.equal((await part('bytes=300000-')).status, 416);
    hub.assertUntouched();
  });
});

describe('what two images share', () => {
  test('is fetched once in a repository', async () => {
    const base = makeBlob(50_000, 'base');
    await using hub = await CountingUpstream.start();
    hub.publish('team/app:1', makeImage({ layers: [base, 1_000], seed: 'one' }));
    hub.publish('team/app:2', makeImage({ layers: [base, 1_000], seed: 'two' }));
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'team/app', '1');
    await pull(entrepot.origin, 'team/app', '2');
    assert.equal(hub.blobBytes(base.digest).sent, base.size);
  });

  test('is fetched once over two repositories and two registries, all public', async () => {
    const base = makeBlob(50_000, 'base');
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer' } });
    await using quay = await CountingUpstream.start({ auth: { kind: 'bearer' } });
    hub.publish('team/app:1', makeImage({ layers: [base, 1_000], seed: 'one' }));
    hub.publish('team/web:1', makeImage({ layers: [base, 1_000], seed: 'two' }));
    quay.publish('other/app:1', makeImage({ layers: [base, 1_000], seed: 'three' }));
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub, 'quay.io': quay } });
    const isBase = ({ digest, step }: { digest: string; step: string }) => digest === base.digest && step === 'stored';
    await pull(entrepot.origin, 'team/app', '1');
    await entrepot.until('download', isBase);
    await pull(entrepot.origin, 'team/web', '1');
    await pull(entrepot.origin, 'other/app', '1', { ns: 'quay.io' });
    assert.equal(hub.blobBytes(base.digest).sent + quay.blobBytes(base.digest).sent, base.size);
    assert.equal(quay.count({ path: '/blobs/', method: 'GET' }), 2, 'the config and the layer that is only there');
  });
});
