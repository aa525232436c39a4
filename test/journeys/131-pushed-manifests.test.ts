/**
 * What a manifest must be to be let in, what its tags do, and what refers to it.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import { push, putManifest } from '../support/push.ts';

const image = makeImage({ seed: 'ours', layers: [30_000, 5] });

const codeOf = ({ body }: Answer): string =>
  (JSON.parse(body.toString()) as { errors: [{ code: string }] }).errors[0].code;

describe('a pushed manifest', () => {
  test('is refused when its blobs are not in its repository, wherever else they are', async () => {
    await using at = await Entrepot.start();
    await push(at.origin, 'local/theirs', '1', image);
    const answer = await putManifest(`${at.origin}/v2/local/mine`, '1', image);
    assert.equal(answer.status, 400);
    assert.equal(codeOf(answer), 'MANIFEST_BLOB_UNKNOWN');
    assert.equal((await get(`${at.origin}/v2/local/mine/blobs/${image.blobs[0]?.digest}`)).status, 404);
    const index = makeIndex([image]);
    assert.equal(codeOf(await putManifest(`${at.origin}/v2/local/mine`, '1', index)), 'MANIFEST_BLOB_UNKNOWN');
    assert.equal((await get(`${at.origin}/v2/local/mine/tags/list`)).status, 404);
  });

  test('is let in without what it refers to where the operator says so', async () => {
    await using at = await Entrepot.start({ config: { hosted: { sparse: true } } });
    assert.equal((await putManifest(`${at.origin}/v2/local/mine`, '1', image)).status, 201);
  });

  test('is refused when it is none, or not the one that was announced', async () => {
    await using at = await Entrepot.start();
    const url = `${at.origin}/v2/local/app`;
    const send = (text: string, mediaType: string, reference = '1'): Promise<Answer> =>
      putManifest(url, reference, { bytes: Buffer.from(text), mediaType });
    const type = image.mediaType;
    assert.equal(codeOf(await send('not JSON', type)), 'MANIFEST_INVALID');
    assert.equal(codeOf(await send('{}', type)), 'MANIFEST_INVALID');
    assert.equal(codeOf(await send('{"schemaVersion":1}', 'application/json')), 'MANIFEST_INVALID');
    assert.equal(codeOf(await send('{"manifests":[]}', '', image.digest)), 'DIGEST_INVALID');
    assert.equal(codeOf(await send('{"manifests":[]}', '', 'sha256:bad')), 'DIGEST_INVALID');
    assert.equal(codeOf(await send('{"manifests":[]}', '', '-')), 'TAG_INVALID');
    const large = await send(' '.repeat(4 * 1024 * 1024 + 1), type);
    assert.deepEqual([large.status, codeOf(large)], [413, 'SIZE_INVALID']);
  });

  test('is tagged with all the tags that are asked for, or with none', async () => {
    await using at = await Entrepot.start({ config: { hosted: { immutable: ['app:v*'] } } });
    const url = `${at.origin}/v2/app`;
    const later = makeImage({ seed: 'later' });
    await push(at.origin, 'app', later.digest, later);
    await push(at.origin, 'app', 'v1', image);
    const answer = await putManifest(url, `${image.digest}?tag=a&tag=b&tag=v1`, image);
    assert.equal(answer.status, 201);
    const headers = answer.rawHeaders;
    assert.deepEqual(
      headers.filter((_, position) => headers[position - 1] === 'OCI-Tag'),
      ['a', 'b', 'v1'],
    );
    const refused = await putManifest(url, `${later.digest}?tag=a&tag=v1`, later);
    assert.equal(refused.status, 409);
    for (const tag of ['a', 'b', 'v1']) {
      assert.equal((await get(`${url}/manifests/${tag}`)).headers['docker-content-digest'], image.digest);
    }
  });

  test('keeps a tag that never moves: the same again is fine, another one is not', async () => {
    await using at = await Entrepot.start({ config: { hosted: { immutable: ['app:v*'] } } });
    const url = `${at.origin}/v2/app`;
    await push(at.origin, 'app', 'v1', image);
    await push(at.origin, 'app', 'v1', image);
    const later = makeImage({ seed: 'later' });
    await push(at.origin, 'app', 'edge', later);
    assert.equal((await putManifest(url, 'v1', later)).status, 409);
    assert.equal((await get(`${url}/manifests/v1`, { method: 'DELETE' })).status, 409);
    assert.equal((await get(`${url}/manifests/${image.digest}`, { method: 'DELETE' })).status, 409);
    assert.equal((await get(`${url}/manifests/edge`, { method: 'DELETE' })).status, 202);
  });

  test('by sha512 is found by it', async () => {
    await using at = await Entrepot.start();
    const url = `${at.origin}/v2/app`;
    const empty = makeIndex([]);
    const digest = `sha512:${createHash('sha512').update(empty.bytes).digest('hex')}`;
    const answer = await putManifest(url, `${digest}?tag=wide`, empty);
    assert.equal(answer.headers['docker-content-digest'], digest);
    assert.equal((await get(`${url}/manifests/wide`)).headers['docker-content-digest'], digest);
  });

  test('lists what refers to it, even if it comes later', async () => {
    await using at = await Entrepot.start();
    const url = `${at.origin}/v2/app`;
    const [signature, sbom] = ['a/signature', 'a/sbom'].map((artifactType) =>
      makeArtifact({ subject: image, artifactType: `application/vnd.${artifactType}`, seed: artifactType }),
    );
    assert.ok(signature && sbom);
    const answer = await push(at.origin, 'app', signature.digest, signature);
    assert.equal(answer.headers['oci-subject'], image.digest);
    await push(at.origin, 'app', sbom.digest, sbom);
    await push(at.origin, 'app', '1', image);
    const list = async (query: string): Promise<readonly [unknown, string[]]> => {
      const { headers, body } = await get(`${url}/referrers/${image.digest}${query}`);
      const { manifests } = JSON.parse(body.toString()) as { manifests: { digest: string }[] };
      return [headers['oci-filters-applied'], manifests.map(({ digest }) => digest)];
    };
    assert.deepEqual(await list(''), [undefined, [sbom.digest, signature.digest].toSorted()]);
    assert.deepEqual(await list('?artifactType=application/vnd.a/sbom'), ['artifactType', [sbom.digest]]);
    assert.equal((await get(`${url}/manifests/${sbom.digest}`, { method: 'DELETE' })).status, 202);
    assert.deepEqual(await list(''), [undefined, [signature.digest]]);
  });
});
