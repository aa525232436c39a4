import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isIndexMediaType, isSchema1MediaType } from '../oci/media-types.ts';
import { parseDigest } from '../oci/digest.ts';
import type { ErrorCode } from '../oci/errors.ts';
import { parseReference } from '../oci/reference.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeImage } from '../../test/support/images.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { failureOf, makeRig } from './testing.ts';

const image = makeImage();
const tag = parseReference('7');

/** Where a tag points when HEAD, and perhaps GET, are answered oddly: the outcome, and how often each was asked. */
interface Case {
  readonly head?: faults.Fault;
  readonly get?: faults.Fault;
  readonly ends: 'descriptor' | 'manifest' | 'nothing' | ErrorCode;
  readonly heads?: number;
  readonly gets: number;
  readonly retryAfterSeconds?: number;
}

const { status, noLength, noDigestHeader, noContentType, wrongDigestHeader, html200, reset, close } = faults;

const cases: Readonly<Record<string, Case>> = {
  'HEAD is answered well': { ends: 'descriptor', gets: 0 },
  'HEAD has no length, GET neither': { head: noLength(), get: noLength(), ends: 'manifest', gets: 1 },
  'HEAD has no digest': { head: noDigestHeader(), ends: 'manifest', gets: 1 },
  'nothing has a digest': { head: noDigestHeader(), get: noDigestHeader(), ends: 'manifest', gets: 1 },
  'HEAD has an odd digest': { head: wrongDigestHeader('latest'), ends: 'manifest', gets: 1 },
  'HEAD has no type': { head: noContentType(), ends: 'manifest', gets: 1 },
  'HEAD is answered with a web page': { head: html200(), ends: 'manifest', gets: 1 },
  'everything is answered with a web page': { head: html200(), get: html200(), ends: 'UPSTREAM_INVALID', gets: 1 },
  'GET names another digest than its bytes have': {
    head: noDigestHeader(),
    get: wrongDigestHeader(),
    ends: 'UPSTREAM_INVALID',
    gets: 1,
  },
  'GET is encoded': {
    head: noDigestHeader(),
    get: faults.contentEncodingGzip(),
    ends: 'UPSTREAM_INVALID',
    gets: 1,
  },
  'GET is no JSON': { head: status(404), get: status(200, {}, 'hello'), ends: 'UPSTREAM_INVALID', gets: 1 },
  ...Object.fromEntries(
    [401, 403, 404, 405, 410].map((code) => [
      `HEAD ${code}, GET 200`,
      { head: status(code), ends: 'manifest', gets: 1 },
    ]),
  ),
  'HEAD 404, GET 404': { head: status(404), get: status(404), ends: 'nothing', gets: 1 },
  'HEAD 410, GET 410': { head: status(410), get: status(410), ends: 'nothing', gets: 1 },
  'HEAD 451': { head: status(451), ends: 'UPSTREAM_DENIED', gets: 0 },
  'HEAD 401, GET 401': { head: status(401), get: status(401), ends: 'UPSTREAM_DENIED', gets: 1 },
  'HEAD 403, GET 403': { head: status(403), get: status(403), ends: 'UPSTREAM_DENIED', gets: 1 },
  'HEAD 405, GET 405': { head: status(405), get: status(405), ends: 'UPSTREAM_INVALID', gets: 1 },
  'HEAD 404, GET 503': { head: status(404), get: status(503), ends: 'UPSTREAM_FAILED', gets: 1 },
  'HEAD 404, GET 429': {
    head: status(404),
    get: status(429),
    ends: 'UPSTREAM_LIMITED',
    gets: 1,
    retryAfterSeconds: 10,
  },
  'HEAD 429': {
    head: status(429, { 'retry-after': '77' }),
    ends: 'UPSTREAM_LIMITED',
    gets: 0,
    retryAfterSeconds: 77,
  },
  ...Object.fromEntries(
    [500, 502, 503, 504].map((code) => [`HEAD ${code}`, { head: status(code), ends: 'UPSTREAM_FAILED', gets: 0 }]),
  ),
  'HEAD is redirected in a circle': {
    head: faults.redirect('/v2/library/redis/manifests/7'),
    ends: 'UPSTREAM_INVALID',
    heads: 11,
    gets: 0,
  },
  'HEAD is redirected to nowhere': { head: faults.redirect('ftp://x/'), ends: 'UPSTREAM_INVALID', gets: 0 },
  'HEAD is reset': { head: reset(), ends: 'UPSTREAM_UNREACHABLE', gets: 0 },
  'HEAD is closed': { head: close(), ends: 'UPSTREAM_UNREACHABLE', gets: 0 },
  // Twice, since the first went over a connection that may have been closed while it was idle.
  'HEAD 404, GET is reset': { head: status(404), get: reset(), ends: 'UPSTREAM_UNREACHABLE', gets: 2 },
  'HEAD is odd': { head: status(302), ends: 'UPSTREAM_INVALID', gets: 0 },
};

describe('where a tag points, when', () => {
  for (const [what, expected] of Object.entries(cases)) {
    test(`${what}: ${expected.ends}`, async () => {
      await using registry = await CountingUpstream.start();
      registry.publish('library/redis:7', image);
      if (expected.head) registry.fault({ method: 'HEAD', path: '/manifests/' }, expected.head);
      if (expected.get) registry.fault({ method: 'GET', path: '/manifests/' }, expected.get);
      await using rig = makeRig(registry.origin);
      const answer = rig.repository.resolve(tag, 'anonymous');
      if (expected.ends === 'descriptor' || expected.ends === 'manifest') {
        const resolution = await answer;
        const { digest, size, mediaType } = image;
        assert.deepEqual(resolution?.descriptor, { digest, size, mediaType });
        assert.equal(resolution?.manifest?.digest, expected.ends === 'manifest' ? digest : undefined);
      } else if (expected.ends === 'nothing') {
        assert.equal(await answer, undefined);
      } else {
        const failure = await failureOf(answer);
        assert.equal(failure.code, expected.ends);
        assert.equal(failure.upstream, 'reg.test');
        assert.equal(failure.retryAfterSeconds, expected.retryAfterSeconds);
        assert.match(failure.message, /reg\.test.*manifest library\/redis:7.*; /);
      }
      assert.equal(registry.count({ method: 'HEAD' }), expected.heads ?? 1, registry.summary());
      assert.equal(registry.count({ method: 'GET' }), expected.gets, registry.summary());
    });
  }
});

test('a HEAD that is refused and a GET that is redirected come to a manifest', async () => {
  await using registry = await CountingUpstream.start();
  registry.publish('library/redis:7', image);
  registry.fault({ method: 'HEAD' }, status(401));
  registry.fault({ method: 'GET', path: '/manifests/7' }, faults.redirect(`../manifests/${image.digest}`, 307));
  await using rig = makeRig(registry.origin);
  assert.equal((await rig.repository.resolve(tag, 'anonymous'))?.manifest?.digest, image.digest);
});

describe('a manifest', () => {
  test('by digest is refused when its bytes are others', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    registry.fault({ path: '/manifests/' }, faults.corrupt(100));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(rig.repository.manifest(parseDigest(image.digest), 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_INVALID');
    assert.match(failure.message, /sent what cannot be believed/);
  });

  test('is asked for by the types we know, never by those of schema 1, and never encoded', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin);
    const manifest = await rig.repository.manifest(tag, 'anonymous');
    assert.deepEqual(manifest?.bytes, image.bytes);
    const [entry] = registry.ledger.entries;
    assert.ok(entry);
    const types = (entry.headers.accept ?? '').split(', ');
    assert.ok(types.some(isIndexMediaType));
    assert.ok(types.every((type) => !isSchema1MediaType(type)));
    assert.equal(entry.headers['accept-encoding'], 'identity');
    assert.equal(entry.headers['user-agent'], 'entrepot/1.2.3');
  });

  test('larger than the limit is refused without being read whole', async () => {
    await using registry = await CountingUpstream.start();
    registry.fault({ path: '/manifests/' }, status(200, {}, 'x'.repeat(5_000_000)));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_INVALID');
    assert.match(failure.message, /more than 4194304 bytes/);
  });

  test('is followed over redirects to another host, as registry.k8s.io sends us', async () => {
    await using registry = await CountingUpstream.start();
    await using other = await CountingUpstream.start();
    other.publish('library/redis:7', image);
    registry.fault({ method: 'HEAD' }, faults.redirect(`${other.origin}/v2/library/redis/manifests/7`));
    await using rig = makeRig(registry.origin);
    const resolution = await rig.repository.resolve(tag, 'anonymous');
    assert.equal(resolution?.descriptor.digest, image.digest);
    assert.equal(other.count({ method: 'HEAD' }), 1);
  });
});

describe('the size of a blob', () => {
  const [layer] = image.layers;
  assert.ok(layer);
  const digest = parseDigest(layer.digest);

  test('is asked for by HEAD', async () => {
    await using registry = await CountingUpstream.start({ blobRedirects: {} });
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin);
    assert.equal(await rig.repository.blobSize(digest, 'anonymous'), layer.size);
    assert.equal(registry.blobBytes(digest).sent, 0);
  });

  test('is asked for by a GET of one byte where HEAD is refused', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    registry.fault({ method: 'HEAD' }, status(405));
    await using rig = makeRig(registry.origin);
    assert.equal(await rig.repository.blobSize(digest, 'anonymous'), layer.size);
    assert.ok(registry.blobBytes(digest).sent <= 1);
  });

  test('of a blob that is not there is nothing', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    await using rig = makeRig(registry.origin);
    assert.equal(await rig.repository.blobSize(parseDigest(`sha256:${'0'.repeat(64)}`), 'anonymous'), undefined);
  });
});
