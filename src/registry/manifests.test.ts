import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fetchRaw } from '../../test/support/http-client.ts';
import { errorOf, serveRegistry } from '../../test/support/registry-server.ts';
import { mediaTypes } from '../oci/media-types.ts';

const manifestText = '{"schemaVersion":2, "odd": "spacing stays"}';

describe('a manifest', () => {
  test('is served byte for byte with its own media type, whatever the client accepts', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const { digest } = repository.addManifest(manifestText, mediaTypes.dockerList, '7');
    for (const accept of ['*/*', mediaTypes.ociManifest, 'text/html', '']) {
      const reply = await fetchRaw(port, '/v2/library/redis/manifests/7', { headers: { accept } });
      assert.equal(reply.status, 200);
      assert.equal(reply.body.toString(), manifestText);
      assert.equal(reply.headers['content-type'], mediaTypes.dockerList);
      assert.equal(reply.headers['content-length'], String(manifestText.length));
      assert.equal(reply.headers['docker-content-digest'], digest);
      assert.equal(reply.headers['etag'], `"${digest}"`);
      assert.equal(reply.headers['content-encoding'], undefined);
    }
  });

  test('says what happened to it: X-Cache, Age and OCI-Namespace', async () => {
    await using served = await serveRegistry();
    const { port, repository, firstLog } = served;
    repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    repository.outcome = 'stale';
    repository.ageSeconds = 75.9;
    const reply = await fetchRaw(port, '/v2/library/redis/manifests/7?ns=index.docker.io');
    assert.equal(reply.headers['x-cache'], 'stale');
    assert.equal(reply.headers['age'], '75');
    assert.equal(reply.headers['oci-namespace'], 'index.docker.io');
    const { outcome, upstream, repository: name, reference, bytes, complete } = await firstLog();
    assert.deepEqual(
      { outcome, upstream, name, reference, bytes, complete },
      {
        outcome: 'stale',
        upstream: 'docker.io',
        name: 'library/redis',
        reference: '7',
        bytes: manifestText.length,
        complete: true,
      },
    );
  });

  test('is not moved for a HEAD', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    await fetchRaw(port, '/v2/library/redis/manifests/7', { method: 'HEAD' });
    assert.deepEqual(repository.calls, ['resolve 7']);
  });

  test('is not sent again to a client that has it', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const { digest } = repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    for (const header of [`"${digest}"`, `W/"${digest}"`, `"other", "${digest}"`, '*']) {
      const reply = await fetchRaw(port, '/v2/library/redis/manifests/7', { headers: { 'If-None-Match': header } });
      assert.equal(reply.status, 304);
      assert.equal(reply.body.length, 0);
      assert.equal(reply.headers['etag'], `"${digest}"`);
      assert.equal(reply.headers['content-length'], undefined);
    }
    const reply = await fetchRaw(port, '/v2/library/redis/manifests/7', { headers: { 'If-None-Match': '"other"' } });
    assert.equal(reply.body.toString(), manifestText);
  });

  test('is asked for anew upstream when the client says no-cache, and only then', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    for (const control of [
      'no-cache',
      'max-age=0, No-Cache',
      'no-cache=x',
      'max-age=0',
      'x-no-cache',
      'only-if-cached',
    ]) {
      await fetchRaw(port, '/v2/library/redis/manifests/7', { headers: { 'Cache-Control': control } });
    }
    assert.deepEqual(
      repository.asks.map((ask) => ask.revalidate),
      [true, true, true, false, false, false],
    );
  });

  test('by tag is not to be kept without asking, by digest for ever', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const { digest } = repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    const byTag = await fetchRaw(port, '/v2/library/redis/manifests/7');
    const byDigest = await fetchRaw(port, `/v2/library/redis/manifests/${digest}`);
    assert.equal(byTag.headers['cache-control'], 'no-cache');
    assert.match(String(byDigest.headers['cache-control']), /immutable/);
  });

  test('that is not there is a 404 that says where we looked', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    const reply = await fetchRaw(port, '/v2/library/redis/manifests/none');
    assert.equal(reply.status, 404);
    const error = errorOf(reply);
    assert.equal(error.code, 'MANIFEST_UNKNOWN');
    assert.match(error.message, /tag none in docker\.io\/library\/redis/);
  });

  test('is asked for upstream but once by a client that says no-cache and has another one', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociIndex, '7');
    const headers = { 'If-None-Match': '"other"', 'Cache-Control': 'no-cache' };
    assert.equal((await fetchRaw(port, '/v2/library/redis/manifests/7', { headers })).status, 200);
    assert.deepEqual(repository.calls, ['manifest 7']);
    assert.equal(repository.asks[0]?.revalidate, true);
  });
});
