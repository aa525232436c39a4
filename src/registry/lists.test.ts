import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fetchRaw } from '../../test/support/http-client.ts';
import { errorOf, serveRegistry } from '../../test/support/registry-server.ts';
import { digestOf } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';

const manifestText = '{"schemaVersion":2, "odd": "spacing stays"}';
const unknownDigest = digestOf('nobody has this');

describe('lists', () => {
  test('of tags come in pages whose links keep the spelling of the client', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociManifest, 'a', 'b', 'c');
    for (const path of [
      '/v2/library/redis/tags/list',
      '/v2/docker.io/redis/tags/list',
      '/docker.io/v2/redis/tags/list',
    ]) {
      const reply = await fetchRaw(port, `${path}?n=2&ns=docker.io`);
      assert.equal(reply.headers['link'], `<${path}?n=2&last=b&ns=docker.io>; rel="next"`);
      const next = await fetchRaw(port, `${path}?n=2&last=b&ns=docker.io`);
      assert.deepEqual((JSON.parse(next.body.toString()) as { tags: string[] }).tags, ['c']);
      assert.equal(next.headers['link'], undefined);
    }
  });

  test('of tags name the repository as the client does', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociManifest, 'a');
    const reply = await fetchRaw(port, '/v2/docker.io/library/redis/tags/list');
    assert.deepEqual(JSON.parse(reply.body.toString()), { name: 'docker.io/library/redis', tags: ['a'] });
  });

  test('take an n of 0 for none, an n beyond the limit for the limit, and refuse what is no number', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociManifest, 'a', 'b');
    const none = await fetchRaw(port, '/v2/library/redis/tags/list?n=0');
    assert.deepEqual(JSON.parse(none.body.toString()), { name: 'library/redis', tags: [] });
    assert.equal(none.headers['link'], undefined);
    assert.equal((await fetchRaw(port, '/v2/library/redis/tags/list?n=99999999')).status, 200);
    for (const n of ['-1', 'x', '1.5', '1e3']) {
      for (const path of ['/v2/library/redis/tags/list', '/v2/_catalog']) {
        const reply = await fetchRaw(port, `${path}?n=${n}`);
        assert.equal(reply.status, 400);
        assert.equal(errorOf(reply).code, 'PAGINATION_NUMBER_INVALID');
      }
    }
  });

  test('give back little of a long text that is no number', async () => {
    await using served = await serveRegistry();
    const reply = await fetchRaw(served.port, `/v2/_catalog?n=${'x'.repeat(10_000)}`);
    assert.equal(errorOf(reply).code, 'PAGINATION_NUMBER_INVALID');
    assert.ok(reply.body.length < 1_000, `${reply.body.length} bytes`);
  });

  test('take an empty n for none given, as registry does', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.addManifest(manifestText, mediaTypes.ociManifest, 'a', 'b');
    const tags = await fetchRaw(port, '/v2/library/redis/tags/list?n=&last=');
    assert.deepEqual(JSON.parse(tags.body.toString()), { name: 'library/redis', tags: ['a', 'b'] });
    assert.equal((await fetchRaw(port, '/v2/_catalog?n=')).status, 200);
  });

  test('of repositories come in pages', async () => {
    await using served = await serveRegistry();
    const { port } = served;
    const first = await fetchRaw(port, '/v2/_catalog?n=1');
    assert.deepEqual(JSON.parse(first.body.toString()), { repositories: ['docker.io/library/redis'] });
    assert.equal(first.headers['link'], '</v2/_catalog?n=1&last=docker.io%2Flibrary%2Fredis>; rel="next"');
    const second = await fetchRaw(port, '/v2/_catalog?n=1&last=docker.io%2Flibrary%2Fredis');
    assert.deepEqual(JSON.parse(second.body.toString()), { repositories: ['quay.io/coreos/etcd'] });
    assert.equal(second.headers['link'], undefined);
  });

  test('of referrers are an index, filtered when asked to be', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const manifest = repository.addManifest(manifestText, mediaTypes.ociManifest, '7');
    const signature = {
      ...manifest,
      bytes: undefined,
      artifactType: 'application/vnd.sig+json',
      annotations: { by: 'me' },
    };
    repository.addReferrer(manifest.digest, signature);
    repository.addReferrer(manifest.digest, { ...manifest, artifactType: undefined, annotations: undefined });
    const all = await fetchRaw(port, `/v2/library/redis/referrers/${manifest.digest}`);
    assert.equal(all.headers['content-type'], mediaTypes.ociIndex);
    assert.equal(all.headers['oci-filters-applied'], undefined);
    assert.equal((JSON.parse(all.body.toString()) as { manifests: unknown[] }).manifests.length, 2);
    for (const type of ['application/vnd.sig+json', 'application%2Fvnd.sig%2Bjson']) {
      const some = await fetchRaw(port, `/v2/library/redis/referrers/${manifest.digest}?artifactType=${type}`);
      assert.equal(some.headers['oci-filters-applied'], 'artifactType');
      const { digest, size, mediaType } = manifest;
      const { artifactType, annotations } = signature;
      assert.deepEqual(JSON.parse(some.body.toString()), {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ mediaType, digest, size, artifactType, annotations }],
      });
    }
  });

  test('of referrers come in pages, in the order of their digests, and a filter goes along', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    const manifest = repository.addManifest(manifestText, mediaTypes.ociManifest, '7');
    const all = ['c', 'a', 'b', 'd'].map((seed) => digestOf(seed));
    for (const digest of all) {
      const annotations = { long: 'x'.repeat(1_000_000) };
      repository.addReferrer(manifest.digest, { ...manifest, digest, artifactType: 'a/b+c', annotations });
    }
    const pages: (readonly string[])[] = [];
    let path: string | undefined = `/v2/library/redis/referrers/${manifest.digest}?artifactType=a/b%2Bc&n=3`;
    while (path !== undefined) {
      const { headers, body } = await fetchRaw(port, path);
      const { manifests } = JSON.parse(body.toString()) as { manifests: { digest: string }[] };
      assert.equal(headers['oci-filters-applied'], 'artifactType');
      assert.ok(body.length < 4 * 1024 * 1024);
      pages.push(manifests.map(({ digest }) => digest));
      path = /^<([^>]+)>; rel="next"$/.exec(String(headers['link']))?.[1];
    }
    assert.deepEqual(pages, [all.toSorted().slice(0, 3), all.toSorted().slice(3)]);
    const whole = await fetchRaw(port, `/v2/library/redis/referrers/${manifest.digest}`);
    assert.match(String(whole.headers['link']), /n=1000&last=/, 'four megabytes are too many');
  });

  test('of referrers are a 404 where the registry has none, so that clients look for the tag', async () => {
    await using served = await serveRegistry();
    const { port, repository } = served;
    repository.hasReferrers = false;
    const reply = await fetchRaw(port, `/v2/library/redis/referrers/${unknownDigest}`);
    assert.equal(reply.status, 404);
    assert.match(errorOf(reply).message, /tag sha256-/);
  });
});
