/**
 * Who knows the digest of what somebody else has pushed gets at it in no way: not by reading it where he may, not by
 * mounting it, not by naming it in what he pushes.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { RequestOptions } from '../support/client.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import { ann, ci, loginScene } from '../support/login-scene.ts';
import { askForToken, bearer, tokenOf } from '../support/logins.ts';
import { locationOf, push, putManifest, startUpload, withDigest } from '../support/push.ts';

const secret = makeImage({ seed: 'secret' });
const own = makeImage({ seed: 'own' });
const [layer] = secret.layers;
const layerDigest = layer?.digest ?? '';

/** Each has a corner; everybody pulls what is public. */
const corners = [
  { who: 'anonymous', may: 'pull', on: 'local/public/**' },
  { who: 'ann', may: ['pull', 'push', 'delete'], on: 'local/ann/**' },
  { who: 'ci', may: ['pull', 'push', 'delete'], on: ['local/ci/**', 'local/public/**'] },
];

async function scene() {
  const at = await loginScene({ access: corners });
  await push(at.origin, 'local/ci/secret', '1', secret, { headers: ci });
  await push(at.origin, 'local/ann/app', '1', own, { headers: ann });
  return { ...at, mine: `${at.origin}/v2/local/ann/app`, theirs: `${at.origin}/v2/local/ci/secret` };
}

type Headers = NonNullable<RequestOptions['headers']>;

/** With the password, and with a token for everything that can be asked for. */
async function asAnn(realm: string): Promise<readonly Headers[]> {
  const scopes = ['local/ann/app:pull,push,delete', 'local/ci/secret:pull,push,delete', '**:pull', '*:*'];
  const wanted = scopes.map((scope) => ['scope', `repository:${scope}`] as const);
  const issued = tokenOf(await askForToken(realm, wanted, ann));
  assert.equal(issued.scope, 'repository:local/ann/app:pull,push,delete');
  return [ann, bearer(issued.token)];
}

describe("another's content", () => {
  test('is read neither where it is nor anywhere else', async () => {
    await using at = await scene();
    for (const headers of [...(await asAnn(at.realm)), {}, bearer('guess')]) {
      for (const method of ['GET', 'HEAD']) {
        for (const what of [`manifests/1`, `manifests/${secret.digest}`, `blobs/${layerDigest}`, 'tags/list']) {
          const { status } = await get(`${at.theirs}/${what}`, { method, headers });
          assert.ok(status === 401 || status === 403, `${method} ${what}: ${status}`);
        }
      }
    }
    for (const headers of await asAnn(at.realm)) {
      for (const what of [`manifests/${secret.digest}`, `blobs/${layerDigest}`]) {
        for (const method of ['GET', 'HEAD', 'DELETE'])
          assert.equal((await get(`${at.mine}/${what}`, { method, headers })).status, 404, what);
      }
      assert.deepEqual(JSON.parse((await get(`${at.mine}/referrers/${secret.digest}`, { headers })).body.toString()), {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [],
      });
    }
  });

  test('is not mounted, wherever it is said to come from', async () => {
    await using at = await scene();
    for (const headers of await asAnn(at.realm)) {
      for (const from of ['&from=local/ci/secret', '', '&from=local/nobody/app', '&from=..%2fci%2fsecret']) {
        const url = `${at.mine}/blobs/uploads/?mount=${layerDigest}${from}`;
        const answer = await get(url, { method: 'POST', headers });
        assert.equal(answer.status, 202, `an upload instead, from "${from}"`);
      }
      assert.equal((await get(`${at.mine}/blobs/${layerDigest}`, { headers })).status, 404);
    }
    const elsewhere = await get(`${at.theirs}/blobs/uploads/?mount=${own.config.digest}&from=local/ann/app`, {
      method: 'POST',
      headers: ann,
    });
    assert.equal(elsewhere.status, 403);
  });

  test('is not taken over by naming it', async () => {
    await using at = await scene();
    for (const headers of await asAnn(at.realm)) {
      const borrowed = layer === undefined ? own : makeImage({ seed: 'borrowed', layers: [layer] });
      await push(at.origin, 'local/ann/app', 'own', own, { headers });
      for (const [what, manifest] of Object.entries({
        'the whole image': secret,
        'an index with it in it': makeIndex([secret]),
        'an image with one layer of it': borrowed,
      })) {
        assert.equal((await putManifest(at.mine, 'taken', manifest, { headers })).status, 400, what);
      }
      const upload = await startUpload(at.mine, { headers });
      const empty = await get(withDigest(upload, layerDigest), { method: 'PUT', headers });
      assert.equal(empty.status, 400, 'an upload of nothing, finished under its digest');
      for (const what of [`blobs/${layerDigest}`, `manifests/${secret.digest}`, 'manifests/taken'])
        assert.equal((await get(`${at.mine}/${what}`, { method: 'HEAD', headers })).status, 404, what);
    }
  });

  test('is not shown by what refers to it', async () => {
    await using at = await scene();
    const note = makeArtifact({ subject: secret, seed: 'note' });
    await push(at.origin, 'local/ann/app', note.digest, note, { headers: ann });
    const seen = await get(`${at.theirs}/referrers/${secret.digest}`, { headers: ci });
    assert.deepEqual((JSON.parse(seen.body.toString()) as { manifests: unknown[] }).manifests, []);
    assert.equal((await get(`${at.mine}/manifests/${secret.digest}`, { headers: ann })).status, 404);
  });

  test('is not reached through an upload of somebody else', async () => {
    await using at = await scene();
    const started = await get(`${at.theirs}/blobs/uploads/`, { method: 'POST', headers: ci });
    const theirs = locationOf(at.theirs, started);
    const there = theirs.replace('/local/ci/secret/', '/local/ann/app/');
    for (const headers of await asAnn(at.realm)) {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const answer = await get(method === 'PUT' ? withDigest(there, layerDigest) : there, { method, headers });
        assert.equal(answer.status, 404, `${method} where ann may`);
        const refused = await get(theirs, { method, headers });
        assert.ok(refused.status === 401 || refused.status === 403, `${method} where it is: ${refused.status}`);
      }
    }
    assert.equal((await get(theirs, { headers: ci })).status, 204);
  });

  test('is listed to nobody else', async () => {
    await using at = await scene();
    const listed = async (headers: Headers): Promise<unknown> =>
      (JSON.parse((await get(`${at.origin}/v2/_catalog`, { headers })).body.toString()) as { repositories: unknown })
        .repositories;
    assert.deepEqual(await listed(ann), ['local/ann/app']);
    assert.deepEqual(await listed(ci), ['local/ci/secret']);
    assert.deepEqual(await listed({}), []);
  });
});
