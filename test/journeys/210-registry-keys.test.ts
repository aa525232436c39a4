/**
 * Keys of registry's that change what clients see: they do here what they do there.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { push, putManifest, startUpload } from '../support/push.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ seed: 'ours', layers: [500] });

const jsonOf = (answer: Answer): Record<string, unknown> => JSON.parse(answer.body.toString());
const codeOf = ({ body }: Answer): string =>
  (JSON.parse(body.toString()) as { errors: [{ code: string }] }).errors[0].code;

describe('catalog.maxentries and tags.maxtags', () => {
  async function filled(config: Readonly<Record<string, unknown>>) {
    const at = await Entrepot.start({ registryMode: true, config });
    for (const name of ['a', 'b/c', 'd']) await push(at.origin, name, '1', image);
    for (const tag of ['2', '3', '4']) await putManifest(`${at.origin}/v2/a`, tag, image);
    return at;
  }

  test('bound a page: of the catalog by an error, of tags by a link', async () => {
    await using at = await filled({ catalog: { maxentries: 2 }, tags: { maxtags: 2 } });
    const list = (path: string): Promise<Answer> => get(`${at.origin}/v2/${path}`);
    const page = await list('_catalog');
    assert.deepEqual(jsonOf(page), { repositories: ['a', 'b/c'] });
    assert.match(page.headers['link'] as string, /^<\/v2\/_catalog\?n=2&last=b%2Fc>; rel="next"$/);
    const more = await list('_catalog?n=3');
    assert.deepEqual([more.status, codeOf(more)], [400, 'PAGINATION_NUMBER_INVALID']);
    const tags = await list('a/tags/list?n=3');
    assert.deepEqual(jsonOf(tags)['tags'], ['1', '2']);
    assert.match(tags.headers['link'] as string, /\?n=2&last=2>; rel="next"$/);
  });

  test('leave all tags together when nobody asks for a number, as registry has it', async () => {
    await using at = await filled({ tags: { maxtags: 2 } });
    const answer = await get(`${at.origin}/v2/a/tags/list`);
    assert.deepEqual(jsonOf(answer)['tags'], ['1', '2', '3', '4']);
    assert.equal(answer.headers['link'], undefined);
    assert.equal((await get(`${at.origin}/v2/_catalog?n=1000`)).status, 200);
    assert.equal((await get(`${at.origin}/v2/_catalog?n=1001`)).status, 400);
  });

  test('of a configuration of ours cut a page short, and say how to go on', async () => {
    await using at = await Entrepot.start({ config: { tags: { maxtags: 1 } } });
    await push(at.origin, 'local/app', '1', image);
    await putManifest(`${at.origin}/v2/local/app`, '2', image);
    assert.deepEqual(jsonOf(await get(`${at.origin}/v2/local/app/tags/list`))['tags'], ['1']);
    assert.equal((await get(`${at.origin}/v2/_catalog?n=5000`)).status, 200);
  });
});

describe('http.prefix', () => {
  test('stands before everything, in links as well', async () => {
    await using at = await Entrepot.start({ registryMode: true, config: { http: { prefix: '/registry/' } } });
    const base = `${at.origin}/registry`;
    await push(base, 'team/app', '1', image);
    await putManifest(`${base}/v2/team/app`, '2', image);
    const started = await get(`${base}/v2/team/app/blobs/uploads/`, { method: 'POST' });
    assert.match(started.headers['location'] as string, /^\/registry\/v2\/team\/app\/blobs\/uploads\/[0-9a-f-]+$/);
    const page = await get(`${base}/v2/team/app/tags/list?n=1`);
    assert.match(page.headers['link'] as string, /^<\/registry\/v2\/team\/app\/tags\/list\?n=1&last=1>/);
    const outside = await get(`${at.origin}/v2/team/app/tags/list`);
    assert.equal(outside.status, 404);
    assert.match(outside.body.toString(), /below \/registry\/v2\//);
    assert.equal((await get(`${at.origin}/registryv2/`)).status, 404);
    assert.equal((await get(`${base}/v2/`)).status, 200);
    assert.equal((await get(`${at.origin}/`)).status, 200);
  });
});

/** A socket file that nobody listens on. */
async function leaveBehind(path: string): Promise<void> {
  const code = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', code, path]), 'exit');
}

describe('http.headers', () => {
  test('let the pages of another server in: a browser’s question before the request is answered to anybody', async () => {
    const headers = {
      'Access-Control-Allow-Origin': ['https://pages.example'],
      'Access-Control-Allow-Methods': ['HEAD', 'GET', 'OPTIONS', 'DELETE'],
      'Access-Control-Allow-Headers': ['Authorization', 'Accept'],
      'Access-Control-Expose-Headers': ['Docker-Content-Digest'],
    };
    await using users = await TempDir.make();
    const path = users.join('users');
    await writeFile(path, '');
    const auth = { htpasswd: { realm: 'r', path } };
    await using at = await Entrepot.start({ registryMode: true, config: { http: { headers }, auth } });
    const ask = { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'DELETE' } };
    for (const [place, allow] of [
      ['/v2/', 'GET, HEAD'],
      ['/v2/_catalog', 'GET, HEAD'],
      ['/v2/app/tags/list', 'GET, HEAD'],
      [`/v2/app/manifests/${image.digest}`, 'GET, HEAD, PUT, DELETE'],
    ]) {
      const answer = await get(`${at.origin}${place}`, ask);
      assert.deepEqual([answer.status, answer.headers['allow']], [200, allow], String(place));
      assert.equal(answer.headers['access-control-allow-origin'], 'https://pages.example');
      assert.equal(answer.headers['access-control-allow-methods'], 'HEAD, GET, OPTIONS, DELETE');
    }
    const refused = await get(`${at.origin}/v2/app/tags/list`);
    assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [401, 'https://pages.example']);
    assert.equal((await get(`${at.origin}/nothing`, ask)).status, 404);
  });
});

describe('http.net', () => {
  test('unix: serves on the socket that addr names, also after a server that was killed', async () => {
    await using directory = await TempDir.make();
    const addr = directory.join('registry.sock');
    await leaveBehind(addr);
    const config = { http: { net: 'unix', addr } };
    await using at = await Entrepot.start({ registryMode: true, config });
    const [address = ''] = at.addresses;
    assert.match(address, /^unix:.*\/registry\.sock$/);
    const agent = new Agent({ socketPath: address.slice('unix:'.length) } as object);
    await push('http://registry', 'app', '1', image, { agent });
    assert.equal((await get('http://registry/v2/app/manifests/1', { agent })).status, 200);
  });
});

describe('validation.manifests', () => {
  const layer = { digest: image.layers[0]?.digest, size: 5, urls: ['https://layers.example/1'] };
  const foreign = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { digest: image.config.digest, size: image.config.size, mediaType: 'application/octet-stream' },
    layers: [{ ...layer, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }],
  };
  const send = async (at: Entrepot, content: object): Promise<Answer> => {
    await push(at.origin, 'app', '1', image);
    const bytes = Buffer.from(JSON.stringify(content));
    return putManifest(`${at.origin}/v2/app`, '2', { bytes, mediaType: foreign.mediaType });
  };

  test('urls: none may be pushed unless a pattern allows it and none denies it', async () => {
    for (const [manifests, status] of [
      [{}, 400],
      [{ urls: { allow: ['^https?://layers\\.example/'] } }, 201],
      [{ urls: { allow: ['^https://other'] } }, 400],
      [{ urls: { deny: ['example'] } }, 400],
      [{ urls: { deny: ['other'] } }, 201],
      [{ urls: { deny: [String.raw`\Ahttps://[[:alpha:]]+\Q.example/\E`] } }, 400],
      [{ urls: { allow: ['example'], deny: ['/1$'] } }, 400],
    ] as const) {
      await using at = await Entrepot.start({ registryMode: true, config: { validation: { manifests } } });
      const answer = await send(at, foreign);
      assert.equal(answer.status, status, JSON.stringify(manifests));
      if (status === 400)
        assert.match(answer.body.toString(), /MANIFEST_INVALID.*layers\.example\/1.*have the URL allowed/);
    }
  });

  test('urls: none that is too long to be looked at may be pushed where any is denied', async () => {
    await using at = await Entrepot.start({
      registryMode: true,
      config: { validation: { manifests: { urls: { deny: ['evil'] } } } },
    });
    const url = `https://evil.example/${'x'.repeat(5000)}`;
    const long = { ...foreign, layers: [{ ...foreign.layers[0], urls: [url] }] };
    assert.equal((await send(at, long)).status, 400);
  });

  test("urls: are anybody's where validation is disabled, but never anything else than http", async () => {
    await using at = await Entrepot.start({ registryMode: true, config: { validation: { disabled: true } } });
    assert.equal((await send(at, foreign)).status, 201);
    const file = { ...foreign, layers: [{ ...foreign.layers[0], urls: ['file:///etc/passwd'] }] };
    assert.equal((await send(at, file)).status, 400);
  });

  test('indexes.platforms: says which manifests have to be there before their index', async () => {
    const arm = makeImage({ seed: 'arm', platform: 'linux/arm64', layers: [5] });
    const index = makeIndex([image, arm]);
    for (const [indexes, status] of [
      [{}, 400],
      [{ platforms: 'none' }, 201],
      [{ platforms: 'list', platformlist: [{ os: 'linux', architecture: 'amd64' }] }, 201],
      [{ platforms: 'list', platformlist: [{ os: 'linux', architecture: 'arm64' }] }, 400],
    ] as const) {
      const config = { validation: { manifests: { indexes } } };
      await using at = await Entrepot.start({ registryMode: true, config });
      await push(at.origin, 'app', image.digest, image);
      assert.equal((await putManifest(`${at.origin}/v2/app`, '2', index)).status, status, JSON.stringify(indexes));
    }
  });
});

describe('storage.maintenance', () => {
  const hourMs = 3_600_000;

  async function startedUpload(uploadpurging: object, clock: FakeClock) {
    const at = await Entrepot.start({ clock });
    await at.configure({
      storage: { filesystem: { rootdirectory: at.storeDirectory }, maintenance: { uploadpurging } },
    });
    await at.restart();
    const upload = await startUpload(`${at.origin}/v2/app`);
    return { at, upload };
  }

  test('uploadpurging: gives up an upload at that age, as often as it says', async () => {
    const clock = new FakeClock();
    const { at, upload } = await startedUpload({ enabled: true, age: '3h', interval: '2h', dryrun: false }, clock);
    await using _ = at;
    await clock.advance(2 * hourMs + 1);
    assert.equal((await get(upload)).status, 204);
    await clock.due(2 * hourMs - 1, 2 * hourMs);
    await clock.advance(2 * hourMs);
    await at.until('upload.expired');
    assert.equal((await get(upload)).status, 404);
  });

  test('uploadpurging: only says so in a dry run, and does nothing when it is off', async () => {
    const clock = new FakeClock();
    const { at, upload } = await startedUpload({ age: '1h', interval: '2h', dryrun: true }, clock);
    await using _ = at;
    await clock.advance(2 * hourMs + 1);
    await at.until('upload.expired', ({ dryRun }) => dryRun);
    assert.equal((await get(upload)).status, 204);
    const off = await startedUpload({ enabled: false, age: '1s', interval: '1h' }, clock);
    await using __ = off.at;
    await clock.advance(2 * hourMs);
    assert.equal((await get(off.upload)).status, 204);
  });

  test('readonly: refuses every change, and serves', async () => {
    await using at = await Entrepot.start({ registryMode: true });
    await push(at.origin, 'app', '1', image);
    const filesystem = { rootdirectory: at.storeDirectory };
    await at.configure({
      storage: { filesystem, maintenance: { readonly: { enabled: true } }, delete: { enabled: true } },
    });
    assert.equal((await get(`${at.origin}/v2/app/manifests/1`)).status, 200);
    assert.equal((await get(`${at.origin}/v2/app/manifests/1`, { method: 'DELETE' })).status, 405);
    assert.equal((await putManifest(`${at.origin}/v2/app`, '2', image)).status, 405);
    assert.equal((await get(`${at.origin}/v2/app/blobs/uploads/`, { method: 'POST' })).status, 405);
  });
});
