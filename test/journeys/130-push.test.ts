/**
 * Somebody pushes. What is pushed is there at once, for everybody, and no upstream hears of it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { literalBlob, makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import { locationOf, push, pushAsDockerd, pushBlob, startUpload, withDigest } from '../support/push.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';

const image = makeImage({ seed: 'ours', layers: [300_000, 20_000, 5] });
const blob = makeBlob(100_000, 'pushed');

interface Scene extends AsyncDisposable {
  readonly hub: CountingUpstream;
  readonly entrepot: Entrepot;
  readonly origin: string;
}

async function scene(config: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  const hub = await CountingUpstream.start();
  hub.publish('library/app:1', makeImage({ seed: 'somebody else' }));
  hub.forbid();
  const entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config });
  const end = async (): Promise<void> => {
    await entrepot[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
  };
  return { hub, entrepot, origin: entrepot.origin, [Symbol.asyncDispose]: end };
}

describe('a push', () => {
  for (const [client, pushIt] of Object.entries({ dockerd: pushAsDockerd, containerd: push })) {
    for (const storage of [undefined, 'inmemory']) {
      test(`by ${client} can be pulled at once (${storage ?? 'filesystem'})`, async () => {
        await using at = await scene(storage === undefined ? {} : { storage });
        const answer = await pushIt(at.origin, 'app', '1', image);
        assert.equal(answer.headers['docker-content-digest'], image.digest);
        assert.equal(answer.headers.location, `/v2/app/manifests/${image.digest}`);
        assert.equal((await pull(at.origin, 'app', '1')).digest, image.digest);
        assert.equal((await pullAsDockerd(at.origin, 'app', '1')).digest, image.digest);
        at.hub.assertUntouched();
      });
    }
  }

  test('of any kind of manifest is kept byte for byte', async () => {
    await using at = await scene();
    const kinds = {
      docker: makeImage({ mediaTypes: 'docker' }),
      list: makeIndex([makeImage({ mediaTypes: 'docker', platform: 'linux/s390x' })], 'docker'),
      index: makeIndex([makeImage({ platform: 'linux/s390x' }), makeIndex([makeImage({ platform: 'linux/arm64' })])]),
      empty: makeIndex([]),
      artifact: makeArtifact(),
    };
    for (const [tag, manifest] of Object.entries(kinds)) {
      await push(at.origin, 'local/kinds', tag, manifest);
      for (const reference of [tag, manifest.digest]) {
        const answer = await get(`${at.origin}/v2/local/kinds/manifests/${reference}`);
        assert.deepEqual(answer.body, manifest.bytes, tag);
        assert.equal(answer.headers['content-type'], manifest.mediaType);
      }
    }
  });

  test('survives a restart', async () => {
    await using at = await scene();
    await push(at.origin, 'app', '1', image);
    await at.entrepot.restart();
    assert.equal((await pull(at.entrepot.origin, 'app', '1')).digest, image.digest);
    at.hub.assertUntouched();
  });

  test('of content that the cache has already stays when the cache lets go of it', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('team/base:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'team/base', '1');
    await entrepot.stored(image.blobs.length);
    await push(entrepot.origin, 'app', '1', image);
    assert.equal((await entrepot.admin('POST /v1/purge', { image: 'docker.io/team/base:1' })).status, 200);
    hub.forbid();
    await pull(entrepot.origin, 'app', '1');
  });

  test('can be repeated, and moves the tag', async () => {
    await using at = await scene();
    const other = makeImage({ seed: 'later' });
    for (const each of [image, image, other]) {
      await push(at.origin, 'app', 'latest', each);
      assert.equal((await pull(at.origin, 'app', 'latest')).digest, each.digest);
    }
    assert.equal((await pull(at.origin, 'app', image.digest)).digest, image.digest);
  });
});

describe('a name of one part', () => {
  test('is ours from its first push on, and stays ours when all of it is deleted', async () => {
    await using at = await scene();
    const url = `${at.origin}/v2/app`;
    await push(at.origin, 'app', '1', image);
    assert.equal((await get(`${url}/manifests/${image.digest}`, { method: 'DELETE' })).status, 202);
    for (const { digest } of image.blobs) {
      assert.equal((await get(`${url}/blobs/${digest}`, { method: 'DELETE' })).status, 202);
    }
    assert.equal((await get(`${url}/manifests/1`)).status, 404);
    await at.entrepot.restart();
    assert.equal((await get(`${at.entrepot.origin}/v2/app/manifests/1`)).status, 404);
    at.hub.assertUntouched();
  });

  test('is ours from its first blob on: who pushes looks for the manifest next', async () => {
    await using at = await scene();
    await pushBlob(`${at.origin}/v2/app`, blob);
    assert.equal((await get(`${at.origin}/v2/app/manifests/1`, { method: 'HEAD' })).status, 404);
    assert.deepEqual((await get(`${at.origin}/v2/app/blobs/${blob.digest}`)).body, blob.bytes());
    at.hub.assertUntouched();
  });
});

describe('a blob', () => {
  test('is mounted from where the client may pull it, and uploaded otherwise', async () => {
    await using at = await scene();
    const mount = async (name: string, query: string): Promise<Answer> =>
      get(`${at.origin}/v2/local/${name}/blobs/uploads/?mount=${blob.digest}${query}`, { method: 'POST' });
    assert.equal((await mount('one', '&from=local/source')).status, 202, 'nobody has it');
    await pushBlob(`${at.origin}/v2/local/source`, blob);
    assert.equal((await mount('one', '&from=local/other')).status, 202, 'that one does not have it');
    assert.equal((await mount('one', '&from=../source')).status, 202, 'that is nobody');
    assert.equal((await get(`${at.origin}/v2/local/one/blobs/${blob.digest}`)).status, 404);
    const mounted = await mount('one', '&from=local/source');
    assert.equal(mounted.status, 201);
    assert.equal(mounted.headers.location, `/v2/local/one/blobs/${blob.digest}`);
    assert.equal((await mount('two', '')).status, 201, 'without a source, any will do');
    for (const name of ['one', 'two']) {
      assert.deepEqual((await get(`${at.origin}/v2/local/${name}/blobs/${blob.digest}`)).body, blob.bytes());
    }
  });

  test('is mounted from what the cache has, if that is public', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/base:1', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await pull(entrepot.origin, 'library/base', '1');
    await entrepot.stored(image.blobs.length);
    hub.forbid();
    const query = `mount=${image.config.digest}&from=docker.io/library/base`;
    const answer = await get(`${entrepot.origin}/v2/app/blobs/uploads/?${query}`, { method: 'POST' });
    assert.equal(answer.status, 201);
    assert.deepEqual((await get(`${entrepot.origin}/v2/app/blobs/${image.config.digest}`)).body, image.config.bytes());
  });

  test('is not deleted while a manifest needs it', async () => {
    await using at = await scene();
    await push(at.origin, 'app', '1', image);
    const url = `${at.origin}/v2/app/blobs/${image.config.digest}`;
    assert.equal((await get(url, { method: 'DELETE' })).status, 405);
    assert.equal((await get(url)).status, 200);
    await get(`${at.origin}/v2/app/manifests/${image.digest}`, { method: 'DELETE' });
    assert.equal((await get(url, { method: 'DELETE' })).status, 202);
    assert.equal((await get(url)).status, 404);
    assert.equal((await get(url, { method: 'DELETE' })).status, 404);
  });

  test('may be empty', async () => {
    await using at = await scene();
    const empty = literalBlob('');
    await pushBlob(`${at.origin}/v2/app`, empty);
    assert.equal((await get(`${at.origin}/v2/app/blobs/${empty.digest}`)).status, 200);
  });
});

describe('registry mode', () => {
  const registry = { storage: { inmemory: {} }, version: 0.1 };

  test('hosts every name, and deletes only when it is told to', async () => {
    await using entrepot = await Entrepot.start({ config: registry, registryMode: true });
    await push(entrepot.origin, 'library/redis', '7', image);
    assert.equal((await pull(entrepot.origin, 'library/redis', '7')).digest, image.digest);
    const url = `${entrepot.origin}/v2/library/redis/manifests/7`;
    assert.equal((await get(url, { method: 'DELETE' })).status, 405);
    await entrepot.configure({ ...registry, storage: { inmemory: {}, delete: { enabled: true } } });
    assert.equal((await get(url, { method: 'DELETE' })).status, 202);
    await entrepot.configure({ storage: { inmemory: {}, maintenance: { readonly: { enabled: true } } } });
    const refused = await get(`${entrepot.origin}/v2/library/redis/blobs/uploads/`, { method: 'POST' });
    assert.equal(refused.status, 405);
  });
});

describe('links', () => {
  test('are paths, unless the operator names the URL of this server', async () => {
    await using at = await scene();
    const post = async (): Promise<Answer> => get(`${at.entrepot.origin}/v2/app/blobs/uploads/`, { method: 'POST' });
    assert.match((await post()).headers.location ?? '', /^\/v2\/app\/blobs\/uploads\/[0-9a-f-]{36}$/);
    await at.entrepot.configure({ http: { host: 'https://registry.example' } });
    assert.match((await post()).headers.location ?? '', /^https:\/\/registry\.example\/v2\/app\/blobs\/uploads\//);
    await at.entrepot.configure({ http: { host: 'https://registry.example', relativeurls: true } });
    assert.match((await post()).headers.location ?? '', /^\/v2\/app\/blobs\/uploads\//);
  });

  test('lead back into the upload', async () => {
    await using at = await scene();
    const started = await startUpload(`${at.origin}/v2/app`);
    const patched = await get(started, { method: 'PATCH', body: blob.bytes() });
    const put = await get(withDigest(locationOf(started, patched), blob.digest), { method: 'PUT' });
    assert.equal(put.status, 201);
    assert.deepEqual((await get(locationOf(started, put))).body, blob.bytes());
  });
});
