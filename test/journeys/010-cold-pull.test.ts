/**
 * Nobody has asked for anything yet. What a first pull costs the upstream, by whichever door it comes.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, together } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import type { Image } from '../support/images.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';

/** As the public registries are: a token for everything, blobs at another host. */
const likeDockerHub = { auth: { kind: 'bearer', realm: 'other' }, blobRedirects: {} } as const;

const amd64 = makeImage({ platform: 'linux/amd64' });
const arm64 = makeImage({ platform: 'linux/arm64/v8' });
const redis = makeIndex([amd64, arm64]);

describe('a cold pull', () => {
  const doors: Readonly<Record<string, (base: string) => Promise<unknown>>> = {
    'through the mirror root, as dockerd does': (base) => pullAsDockerd(base, 'library/redis', '7'),
    'through ?ns=, as containerd does': (base) => pull(base, 'library/redis', '7', { ns: 'docker.io' }),
    'through ?ns= with another of its names': (base) => pull(base, 'library/redis', '7', { ns: 'index.docker.io' }),
    'through the path': (base) => pull(base, 'docker.io/library/redis', '7'),
    'through the path, without library/': (base) => pull(base, 'docker.io/redis', '7'),
    'through the path before /v2/': (base) => pull(`${base}/docker.io`, 'library/redis', '7'),
    'through both, as containerd does with a path in its hosts.toml': (base) =>
      pull(`${base}/docker.io`, 'library/redis', '7', { ns: 'docker.io' }),
    'as docker pull HOST/redis means it': (base) => pull(base, 'redis', '7'),
  };
  for (const [door, fetch] of Object.entries(doors)) {
    test(`${door} costs one token, one HEAD of the tag, one GET a manifest, and each byte once`, async () => {
      await using hub = await CountingUpstream.start(likeDockerHub);
      hub.publish('library/redis:7', redis);
      await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });

      await fetch(entrepot.origin);

      assert.equal(hub.count({ host: 'token' }), 1, hub.summary());
      assert.equal(hub.count({ method: 'HEAD', path: '/manifests/7', status: 200 }), 1);
      assert.equal(hub.count({ method: 'GET', path: '/manifests/' }), 2, 'the index and one of its two images');
      assert.equal(hub.count({ method: 'GET', path: `/manifests/${arm64.digest}` }), 0);
      for (const { digest, size } of amd64.blobs) {
        assert.deepEqual(hub.blobBytes(digest), { sent: size, distinct: size, extents: [[0, size]], transfers: 1 });
      }
      // Before it knows what is asked of it, the cache is refused once; that is the only wasted request.
      assert.equal(hub.count({ status: 401 }), 1);
      assert.equal(hub.count(), 1 + 1 + 1 + 2 + 3 * 2, hub.summary());
    });
  }

  test('needs a token for each repository, and no more', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    hub.publish('grafana/grafana:11', makeImage({ seed: 'grafana' }));
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    await pull(entrepot.origin, 'grafana/grafana', '11', { ns: 'docker.io' });
    assert.equal(hub.count({ host: 'token' }), 2);
    assert.equal(hub.count({ host: 'token', path: 'scope=repository%3Agrafana%2Fgrafana%3Apull' }), 1);
    assert.equal(hub.count({ status: 401 }), 1, 'once it knows the way it is refused no more');
  });

  test('by a hundred clients at once costs what one costs (docker-registry-proxy#31)', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await together(100, () => pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' }));
    assert.equal(hub.count({ host: 'token' }), 1);
    assert.equal(hub.count({ method: 'HEAD', path: '/manifests/7', status: 200 }), 1);
    assert.equal(hub.count({ method: 'GET', path: '/manifests/' }), 2);
    for (const { digest, size } of amd64.blobs) assert.equal(hub.blobBytes(digest).sent, size);
  });

  test('of one name from two registries gives each its own image (hubproxy#92)', async () => {
    await using hub = await CountingUpstream.start();
    await using quay = await CountingUpstream.start();
    const [theirs, ours] = [makeImage({ seed: 'hub' }), makeImage({ seed: 'quay' })];
    hub.publish('coreos/etcd:v3', theirs);
    quay.publish('coreos/etcd:v3', ours);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub, 'quay.io': quay } });
    const { origin } = entrepot;
    assert.equal((await pull(origin, 'coreos/etcd', 'v3')).digest, theirs.digest);
    assert.equal((await pull(origin, 'coreos/etcd', 'v3', { ns: 'quay.io' })).digest, ours.digest);
    assert.equal((await pull(origin, 'docker.io/coreos/etcd', 'v3')).digest, theirs.digest);
    assert.equal((await pull(`${origin}/quay.io`, 'coreos/etcd', 'v3')).digest, ours.digest);
  });

  test('changes no manifest, of whatever kind: bytes, media type and digest are the upstream’s (zot#3307)', async () => {
    await using hub = await CountingUpstream.start();
    const platforms = (mediaTypes: 'oci' | 'docker'): Image[] =>
      ['linux/amd64', 'linux/s390x'].map((platform) => makeImage({ platform, mediaTypes }));
    const kinds = {
      'docker-image': makeImage({ mediaTypes: 'docker' }),
      'docker-list': makeIndex(platforms('docker'), 'docker'),
      'oci-image': makeImage({ mediaTypes: 'oci' }),
      'oci-index': makeIndex(platforms('oci'), 'oci'),
      artifact: makeArtifact(),
    };
    for (const [tag, manifest] of Object.entries(kinds)) hub.publish(`team/app:${tag}`, manifest);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    for (const [tag, { bytes, digest, mediaType }] of Object.entries(kinds)) {
      for (const reference of [tag, digest, tag]) {
        const answer = await get(`${entrepot.origin}/v2/team/app/manifests/${reference}`);
        assert.deepEqual(answer.body, bytes, tag);
        assert.equal(answer.headers['content-type'], mediaType);
        assert.equal(answer.headers['docker-content-digest'], digest);
      }
      assert.equal(hub.count({ method: 'GET', path: `/manifests/${tag}` }), 1);
      assert.equal(hub.count({ method: 'GET', path: `/manifests/${digest}` }), 0, 'the tag has brought it already');
    }
  });

  test('of an index of twenty platforms asks for the index alone until a client wants one of them', async () => {
    await using hub = await CountingUpstream.start();
    const images = Array.from({ length: 20 }, (_, number) => makeImage({ platform: `linux/arch${number}` }));
    hub.publish('library/busybox:1', makeIndex(images));
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await get(`${entrepot.origin}/v2/library/busybox/manifests/1`);
    assert.equal(hub.count(), 1, hub.summary());
  });
});

describe('the head of an answer', () => {
  test('is exact on HEAD, and on GET the same, cold and warm (harbor#15837, coreweave#46)', async () => {
    await using hub = await CountingUpstream.start(likeDockerHub);
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, clock: new FakeClock() });
    const [layer] = amd64.layers;
    assert.ok(layer);
    const objects = {
      'manifests/7': { size: redis.size, type: redis.mediaType, digest: redis.digest, caching: 'no-cache' },
      [`manifests/${amd64.digest}`]: { size: amd64.size, type: amd64.mediaType, digest: amd64.digest },
      [`blobs/${layer.digest}`]: { size: layer.size, type: 'application/octet-stream', digest: layer.digest },
    };
    for (const [path, { size, type, digest, caching }] of Object.entries(objects)) {
      const url = `${entrepot.origin}/v2/library/redis/${path}?ns=docker.io`;
      const cold = await head(url);
      for (const answer of [cold, await get(url), await head(url), await get(url)]) {
        const { date: _, connection: __, 'x-request-id': ___, age, 'x-cache': outcome, ...headers } = answer.headers;
        assert.equal(answer.status, 200);
        assert.deepEqual(headers, {
          'content-length': String(size),
          'content-type': type,
          'docker-content-digest': digest,
          etag: `"${digest}"`,
          'cache-control': caching ?? 'max-age=31536000, immutable',
          'docker-distribution-api-version': 'registry/2.0',
          'oci-namespace': 'docker.io',
          ...(path.startsWith('blobs') && { 'accept-ranges': 'bytes' }),
        });
        assert.equal(age, '0');
        assert.match(String(outcome), /^(?:miss|hit|coalesced)$/);
      }
    }
  });

  test('of a cold blob is the upstream’s HEAD, and brings no byte of it', async () => {
    await using hub = await CountingUpstream.start({ blobRedirects: {} });
    hub.publish('library/redis:7', amd64);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const answer = await head(`${entrepot.origin}/v2/library/redis/blobs/${amd64.config.digest}`);
    assert.equal(answer.headers['content-length'], String(amd64.config.size));
    assert.equal(hub.count({ method: 'GET' }), 0, hub.summary());
    assert.equal(entrepot.told('download').length, 0);
  });

  test('names only digests that can be had (spegel#1378)', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', redis);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    for (const reference of ['7', redis.digest, amd64.digest, '7']) {
      const { headers } = await head(`${entrepot.origin}/v2/library/redis/manifests/${reference}`);
      const named = String(headers['docker-content-digest']);
      assert.equal((await get(`${entrepot.origin}/v2/library/redis/manifests/${named}`)).status, 200);
    }
  });

  test('has no challenge in it, whatever the upstream demands (nora#578)', async () => {
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer', private: ['secret'] } });
    hub.publish('secret/plans:1', amd64);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const paths = ['', 'secret/plans/manifests/1', `secret/plans/blobs/${amd64.digest}`, 'secret/plans/tags/list'];
    const answers = await Promise.all(paths.map((path) => get(`${entrepot.origin}/v2/${path}`)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 403, 403, 403],
    );
    for (const { headers } of answers) assert.equal(headers['www-authenticate'], undefined);
  });
});

describe('a registry that nobody has configured', () => {
  test('is refused with a sentence that names it and the setting, by every door', async () => {
    await using entrepot = await Entrepot.start();
    for (const path of [
      '/v2/app/manifests/1?ns=registry.corp.example',
      '/v2/registry.corp.example/app/manifests/1',
      '/registry.corp.example/v2/app/manifests/1',
      '/v2/169.254.169.254/latest/manifests/1',
    ]) {
      const answer = await get(entrepot.origin + path);
      assert.equal(answer.status, 404, path);
      assert.match(answer.body.toString(), /(?:registry\.corp\.example|169\.254\.169\.254).*upstreams:/);
    }
    assert.equal(entrepot.told('upstream.request').length, 0);
  });
});
