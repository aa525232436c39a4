import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { fetchRaw } from '../../test/support/http-client.ts';
import type { WireReply } from '../../test/support/http-client.ts';
import { errorOf, serveRegistry } from '../../test/support/registry-server.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';

const manifestText = '{"schemaVersion":2, "odd": "spacing stays"}';
const content = makeBlob(300_000, 'registry').bytes();
const unknownDigest = digestOf('nobody has this');

describe('the base', () => {
  test('answers the ping without a challenge, so that podman uses us and dockerd keeps its password', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    const reply = await fetchRaw(port, '/v2/');
    assert.equal(reply.status, 200);
    assert.equal(reply.body.toString(), '{}\n');
    assert.equal(reply.headers['docker-distribution-api-version'], 'registry/2.0');
    assert.equal(reply.headers['www-authenticate'], undefined);
  });

  test('answers / with a line for people', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    const reply = await fetchRaw(port, '/');
    assert.equal(reply.status, 200);
    assert.match(reply.body.toString(), /Entrepot/);
  });
});

describe('HEAD', () => {
  test('says what GET says, for everything there is', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const manifest = repository.addManifest(manifestText, mediaTypes.ociManifest, '7', '8');
    const digest = repository.addBlob(content);
    repository.addReferrer(manifest.digest, { ...manifest, artifactType: 'a/b', annotations: { k: 'v' } });
    const paths = [
      '/',
      '/v2/',
      '/v2/_catalog',
      '/v2/_catalog?n=1',
      '/v2/library/redis/manifests/7',
      `/v2/library/redis/manifests/${manifest.digest}?ns=docker.io`,
      '/v2/library/redis/manifests/none',
      `/v2/library/redis/blobs/${digest}`,
      '/v2/library/redis/tags/list?n=1',
      `/v2/library/redis/referrers/${manifest.digest}`,
      '/v2/quay.io/nobody/nothing/tags/list',
      '/v2/BAD/tags/list',
      '/nowhere',
    ];
    for (const path of paths) {
      const get = await fetchRaw(port, path);
      const head = await fetchRaw(port, path, { method: 'HEAD' });
      assert.equal(head.body.length, 0, path);
      assert.equal(head.status, get.status, path);
      assert.deepEqual(comparable(head), comparable(get), path);
      assert.equal(get.headers['content-length'], String(get.body.length), path);
    }
  });
});

/** Headers without what differs from request to request; an error's length varies with the request's id. */
function comparable({ status, headers }: WireReply): object {
  const { date: _date, 'x-request-id': _id, ...others } = headers;
  return status < 400 ? others : { ...others, 'content-length': undefined };
}

describe('a refusal', () => {
  test('of a hosted name that nobody pushed is a 404 that asks nobody', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    for (const path of ['local/app/manifests/7', `nginx/tags/list`, `local/app/blobs/${unknownDigest}`]) {
      const reply = await fetchRaw(port, `/v2/${path}`);
      assert.equal(reply.status, 404);
      assert.equal(errorOf(reply).code, 'NAME_UNKNOWN');
    }
    assert.deepEqual(repository.calls, []);
  });

  test('by the operator names the rule, before anything is looked up', async () => {
    const refusal = new RegistryError('DENIED', 'refused by upstreams.docker.io.deny: library/**', {
      origin: 'operator',
    });
    await using served = await serveRegistry({ judge: () => refusal });
    const { port, repository } = served;
    const reply = await fetchRaw(port, '/v2/library/redis/manifests/7');
    assert.equal(reply.status, 403);
    assert.match(errorOf(reply).message, /docker\.io\.deny: library/);
    assert.deepEqual(repository.calls, []);
  });

  test('of a push is a 405 that says what is allowed, and is never mistaken for a challenge', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    for (const [method, path] of [
      ['POST', '/v2/library/redis/blobs/uploads/'],
      ['PUT', '/v2/library/redis/manifests/7'],
      ['PATCH', '/v2/a/b/blobs/uploads/x'],
      ['DELETE', '/v2/a/b/manifests/7'],
    ] as const) {
      const reply = await fetchRaw(port, path, { method });
      assert.equal(reply.status, 405);
      assert.equal(reply.headers['allow'], 'GET, HEAD');
      assert.equal(errorOf(reply).code, 'UNSUPPORTED');
    }
  });

  test('because of a bug tells the client nothing of it, and the log everything', async () => {
    await using served = await serveRegistry();
    const { port, repository, firstLog } = served;
    repository.failure = new TypeError('secret of the house');
    const reply = await fetchRaw(port, '/v2/library/redis/manifests/7');
    assert.equal(reply.status, 500);
    assert.equal(errorOf(reply).code, 'UNKNOWN');
    assert.doesNotMatch(reply.body.toString(), /secret/);
    const { errorCode, errorMessage, origin } = await firstLog();
    assert.deepEqual(
      { errorCode, errorMessage, origin },
      { errorCode: 'UNKNOWN', errorMessage: 'secret of the house', origin: 'entrepot' },
    );
  });
});
