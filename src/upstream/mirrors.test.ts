import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secret } from '../config/secret.ts';
import { parseDigest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeImage } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';
import type { Rig } from './testing.ts';

const image = makeImage({ layers: [200_000] });
const [layer] = image.layers;
assert.ok(layer);
const tag = parseReference('7');

interface Pair extends AsyncDisposable {
  readonly registry: CountingUpstream;
  readonly mirror: CountingUpstream;
  readonly rig: Rig;
}

async function start(resolve = false): Promise<Pair> {
  const scope = new AsyncDisposableStack();
  const registry = scope.use(await CountingUpstream.start({ auth: { kind: 'basic', users: { alice: 'secret' } } }));
  const mirror = scope.use(await CountingUpstream.start());
  for (const one of [registry, mirror]) one.publish('library/redis:7', image);
  const credentials = { kind: 'static', username: 'alice', password: new Secret('secret') } as const;
  const rig = scope.use(makeRig(registry.origin, { mirrors: [{ url: mirror.origin, resolve }], credentials }));
  return { registry, mirror, rig, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

describe('a mirror', () => {
  test('is asked first for what a digest proves, without our credentials', async () => {
    await using pair = await start();
    const { rig, registry, mirror } = pair;
    assert.ok(await rig.repository.manifest(parseDigest(image.digest), 'own'));
    assert.ok((await fetchBlob(rig.repository, layer.digest, {}, 'own')).found);
    assert.equal(registry.count(), 0);
    assert.equal(mirror.count({ authorization: 'none' }), 2);
    assert.equal(mirror.count(), 2);
  });

  test('is not asked where a tag points', async () => {
    await using pair = await start();
    assert.ok(await pair.rig.repository.resolve(tag, 'own'));
    assert.equal(pair.mirror.count(), 0);
  });

  test('is asked where a tag points when the operator says so', async () => {
    await using pair = await start(true);
    assert.ok(await pair.rig.repository.resolve(tag, 'own'));
    assert.equal(pair.registry.count(), 0);
  });

  const troubles = [
    ['does not have it', faults.status(404)],
    ['wants credentials', faults.status(401)],
    ['fails', faults.status(500)],
    ['is a web page', faults.html200()],
    ['resets', faults.reset()],
  ] as const;
  for (const [what, fault] of troubles) {
    test(`that ${what} costs nothing: the upstream is asked`, async () => {
      await using pair = await start(true);
      const { rig, mirror } = pair;
      mirror.fault({}, fault);
      assert.ok(await rig.repository.resolve(tag, 'own'));
      assert.ok(await rig.repository.manifest(parseDigest(image.digest), 'own'));
      assert.deepEqual((await fetchBlob(rig.repository, layer.digest, {}, 'own')).bytes, layer.bytes());
    });
  }

  test('that is away is no news about the upstream', async () => {
    await using pair = await start();
    await pair.mirror.down();
    assert.ok((await fetchBlob(pair.rig.repository, layer.digest, {}, 'own')).found);
    assert.equal(pair.rig.upstream.status().circuit, 'closed');
    assert.equal(pair.rig.upstream.status().lastError, undefined);
    assert.deepEqual(
      pair.rig.events.filter(({ type }) => type === 'upstream.circuit'),
      [],
    );
  });

  test('is looked at by a check of its upstream, as anybody', async () => {
    await using pair = await start();
    const { rig, registry, mirror } = pair;
    const url = mirror.origin;
    assert.deepEqual((await rig.upstream.check()).mirrors, [{ url, lastError: undefined }]);
    assert.equal(mirror.count({ authorization: 'none' }), 1);
    await mirror.down();
    const checked = await rig.upstream.check();
    assert.match(checked.mirrors?.[0]?.lastError ?? '', /cannot be reached \(\/v2\/\): connect ECONNREFUSED/);
    assert.equal(checked.lastError, undefined);
    assert.ok(registry.count() > 0);
  });

  test('with other bytes for a manifest is passed over', async () => {
    await using pair = await start();
    pair.mirror.fault({ path: '/manifests/' }, faults.corrupt(50));
    const manifest = await pair.rig.repository.manifest(parseDigest(image.digest), 'own');
    assert.deepEqual(manifest?.bytes, image.bytes);
  });

  test('that breaks off is continued by the upstream where it ended', async () => {
    await using pair = await start();
    const { rig, registry, mirror } = pair;
    mirror.fault({ path: '/blobs/' }, faults.cut(120_000));
    const { heads, bytes } = await fetchBlob(rig.repository, layer.digest, {}, 'own');
    assert.equal(heads.length, 1);
    assert.deepEqual(bytes, layer.bytes());
    assert.equal(registry.ledger.entries.at(-1)?.range, 'bytes=120000-');
  });

  test('keeps its validator to itself, and is not asked with that of the upstream', async () => {
    await using pair = await start();
    const { rig, registry, mirror } = pair;
    const etag = '"of the upstream"';
    const { heads } = await fetchBlob(rig.repository, layer.digest, { start: 1_000, end: 2_000, etag }, 'own');
    assert.deepEqual([heads[0]?.start, heads[0]?.etag], [1_000, undefined]);
    assert.equal(mirror.ledger.entries.at(-1)?.headers['if-range'], undefined);
    await mirror.down();
    await fetchBlob(rig.repository, layer.digest, { start: 1_000, end: 2_000, etag }, 'own');
    assert.equal(registry.ledger.entries.at(-1)?.headers['if-range'], etag);
  });

  test('that breaks off cannot be continued by an upstream that ignores Range', async () => {
    await using pair = await start();
    pair.mirror.fault({ path: '/blobs/' }, faults.cut(120_000));
    pair.registry.fault({ path: '/blobs/' }, faults.noRange());
    const failure = await failureOf(fetchBlob(pair.rig.repository, layer.digest, {}, 'own'));
    assert.match(failure.message, /cannot go on from byte 120000/);
  });

  test('is believed about the size of a blob while the upstream is away, and asked without our credentials', async () => {
    await using pair = await start();
    const { rig, registry, mirror } = pair;
    assert.equal(await rig.repository.blobSize(parseDigest(layer.digest), 'own'), layer.size);
    assert.equal(mirror.count(), 0);
    await registry.down();
    assert.equal(await rig.repository.blobSize(parseDigest(layer.digest), 'own'), layer.size);
    assert.equal(mirror.count({ authorization: 'none' }), 1);
    assert.equal(mirror.count(), 1);
  });

  test('that has no such blob either leaves the failure of the upstream', async () => {
    await using pair = await start();
    await pair.registry.down();
    const absent = parseDigest(`sha256:${'0'.repeat(64)}`);
    assert.equal((await failureOf(pair.rig.repository.blobSize(absent, 'own'))).code, 'UPSTREAM_UNREACHABLE');
    assert.ok(pair.mirror.count() > 0);
  });

  test('is not asked for the size of a blob that the upstream does not have, or lets nobody see', async () => {
    for (const code of [404, 403]) {
      await using pair = await start();
      pair.registry.fault({ path: '/blobs/' }, faults.status(code));
      await pair.rig.repository.blobSize(parseDigest(layer.digest), 'own').catch(() => undefined);
      assert.equal(pair.mirror.count(), 0, `${code}`);
    }
  });

  test('is no proof that a repository has a blob', async () => {
    await using pair = await start();
    await pair.registry.down();
    const size = pair.rig.repository.blobSize(parseDigest(layer.digest), 'own', { direct: true });
    assert.equal((await failureOf(size)).code, 'UPSTREAM_UNREACHABLE');
    assert.equal(pair.mirror.count(), 0);
  });

  test('is passed over when the upstream itself is meant', async () => {
    await using pair = await start();
    assert.ok((await fetchBlob(pair.rig.repository, layer.digest, { direct: true }, 'own')).found);
    assert.equal(pair.mirror.count(), 0);
  });

  test('is not asked again when it was the sink that failed', async () => {
    await using pair = await start();
    const request = { start: 0, end: undefined, etag: undefined, signal: new AbortController().signal };
    const sink = { head: () => true, data: () => Promise.reject(new Error('disk full')) };
    const running = pair.rig.repository.blob(parseDigest(layer.digest), request, sink, 'own');
    await assert.rejects(running, /disk full/);
    assert.equal(pair.registry.count(), 0);
  });
});
