/** The server as its clients' HTTPS proxy: unchanged image names, the same cache, and everybody's own rights. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { htpasswdOf } from '../support/logins.ts';
import { freePort } from '../support/ports.ts';
import { TempDir } from '../support/temp-dir.ts';
import { helloOf } from '../support/tls-hello.ts';
import { alice, bob, startProxiedQuay } from '../support/proxied-quay.ts';
import type { ProxiedQuay } from '../support/proxied-quay.ts';
import { openTunnel } from '../support/tunnel.ts';
import type { ProxiedClient } from '../support/tunnel.ts';

const minutes = 60_000;
const app = makeImage({ seed: 'app', layers: [300_000] });
const plans = makeImage({ seed: 'plans', layers: [200_000] });

const scene = (config: Readonly<Record<string, unknown>> = {}): Promise<ProxiedQuay> =>
  startProxiedQuay({ app, plans }, config);

type Image = typeof app;

async function pullAs(client: ProxiedClient, repository: string, image: Image): Promise<void> {
  const base = `https://quay.io/v2/${repository}`;
  const manifest = await client.request(`${base}/manifests/1`);
  assert.equal(manifest.status, 200, manifest.body.toString());
  assert.equal(manifest.headers['docker-content-digest'], image.digest);
  for (const blob of [image.config, ...image.layers]) {
    const { status, body } = await client.request(`${base}/blobs/${blob.digest}`);
    assert.equal(status, 200, body.toString().slice(0, 300));
    assert.deepEqual(body, blob.bytes());
  }
}

describe('a public image through a tunnel', () => {
  test('is pulled cold, and warm without the upstream', async () => {
    await using at = await scene();
    await pullAs(at.client(), 'team/app', app);
    await at.entrepot.stored(2);
    at.quay.forbid();
    await pullAs(at.client(), 'team/app', app);
    at.quay.assertUntouched();
    const { status } = await get(`${at.entrepot.origin}/v2/team/app/manifests/1?ns=quay.io`);
    assert.equal(status, 200, 'it is the same by every door');
  });
});

describe('a private image through a tunnel', () => {
  test('is pulled by whom its registry lets in, and then from here', async () => {
    await using at = await scene();
    const client = at.client(alice);
    await pullAs(client, 'team/plans', plans);
    await at.entrepot.stored(2);
    const before = at.quay.count();
    await pullAs(client, 'team/plans', plans);
    assert.equal(at.quay.count(), before, at.quay.summary());
  });

  test('costs a warm pull one HEAD a token', async () => {
    await using at = await scene();
    await pullAs(at.client(alice), 'team/plans', plans);
    await at.entrepot.stored(2);
    at.quay.reset();
    await at.clock.advance(2 * minutes);
    const client = at.client(alice);
    await pullAs(client, 'team/plans', plans);
    const asked = { method: 'HEAD', path: '/team/plans/', authorization: 'bearer', status: 200 } as const;
    assert.equal(at.quay.count(asked), 1, at.quay.summary());
    assert.equal(at.quay.count({ method: 'GET', path: '/team/plans/', authorization: 'bearer', status: 200 }), 0);
  });

  test('is nobody else\u2019s, and they hear what the registry says', async () => {
    await using at = await scene();
    await pullAs(at.client(alice), 'team/plans', plans);
    await at.entrepot.stored(2);
    for (const client of [at.client(), at.client(bob)]) {
      const answer = await client.request('https://quay.io/v2/team/plans/manifests/1');
      assert.equal(answer.status, 401);
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer realm=.*scope="repository:team\/plans:pull"/);
    }
    const other = await get(`${at.entrepot.origin}/v2/team/plans/manifests/1?ns=quay.io`);
    assert.equal(other.status, 403);
    assert.equal(other.headers['www-authenticate'], undefined, 'no other door passes a challenge on');
  });
});

describe('where what an account of ours may read is for anyone', () => {
  const oursIs = (credentials: typeof bob) => ({ upstreams: { 'quay.io': { exposure: 'anyone', credentials } } });

  test('who may read more than it is served by his own right, and others are asked who they are', async () => {
    await using at = await scene(oursIs(bob));
    const manifest = 'https://quay.io/v2/team/plans/manifests/1';
    const first = await at.client().ask(manifest);
    assert.equal(first.status, 401, first.body.toString());
    assert.match(first.headers['www-authenticate'] ?? '', /scope="repository:team\/plans:pull"/);
    await pullAs(at.client(alice), 'team/plans', plans);
    await at.entrepot.stored(2);
    assert.equal((await at.client().request(manifest)).status, 401);
    assert.equal((await get(`${at.entrepot.origin}/v2/team/plans/manifests/1?ns=quay.io`)).status, 403);
  });

  test('who may read less is served by ours', async () => {
    await using at = await scene(oursIs(alice));
    for (const client of [at.client(), at.client(bob)]) await pullAs(client, 'team/plans', plans);
  });
});

describe('what the cache has nothing to say to', () => {
  test('is passed on with its query, which the log does not tell', async () => {
    await using at = await scene();
    await at.client().ask('https://quay.io/v1/search?q=app&signature=c2VjcmV0');
    await at.entrepot.until('request.done', ({ url }) => url.startsWith('/v1/search'));
    assert.equal(at.quay.count({ path: 'signature=c2VjcmV0' }), 1, at.quay.summary());
    assert.doesNotMatch(JSON.stringify(at.entrepot.events), /signature|c2VjcmV0/);
  });
});

describe('the rules of this cache', () => {
  const manifest = 'https://quay.io/v2/team/plans/manifests/1';

  test('stand before what a registry would allow', async () => {
    await using at = await scene({ access: [{ who: 'anonymous', may: ['pull'], on: ['quay.io/team/app'] }] });
    await pullAs(at.client(), 'team/app', app);
    const answer = await at.client(alice).request(manifest);
    assert.equal(answer.status, 403, answer.body.toString());
    assert.equal(answer.headers['www-authenticate'], undefined, 'what she would answer is meant for the registry');
    const pushed = await at.client(alice).ask('https://quay.io/v2/team/app/blobs/uploads/', { method: 'POST' });
    assert.equal(pushed.status, 403);
    assert.equal(at.quay.count({ path: '/team/plans/' }) + at.quay.count({ path: '/uploads/' }), 0);
  });

  test('about what of a registry is to be had are the same for what is passed on, however it is written', async () => {
    await using at = await scene({ upstreams: { 'quay.io': { deny: ['team/plans'] } } });
    for (const path of [
      'team/plans/tags/list',
      'team/plans/manifests/1',
      'team//plans/manifests/1',
      'team/./plans/manifests/1',
      'x/../team/plans/manifests/1',
      'team%2Fplans/manifests/1',
      'team/%2e/plans/tags/list',
    ]) {
      const { status } = await at.client(alice).request(`https://quay.io/v2/${path}`);
      assert.ok(status === 403 || status === 404 || status === 400, `${path}: ${status}`);
    }
    assert.equal(at.quay.count({ path: 'plans' }), 0, at.quay.summary());
  });

  test('let nobody through to anywhere while nothing is open', async () => {
    await using directory = await TempDir.make();
    const file = directory.join('users');
    await writeFile(file, htpasswdOf({ ops: 'secret' }));
    const access = [{ who: 'authenticated', may: ['pull'], on: ['**'] }];
    await using at = await scene({
      access,
      intercept: { auth: 'none' },
      auth: { htpasswd: { realm: 'cache', path: file } },
    });
    at.quay.forbid();
    for (const path of ['v2/', 'v1/search?q=app', 'v2/team/app/manifests/1']) {
      const answer = await at.client(alice).ask(`https://quay.io/${path}`);
      assert.equal(answer.status, 403, path);
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
    at.quay.assertUntouched();
  });
});

describe('a client that does not trust our authority', () => {
  test('is told of, with the host and what to do', async () => {
    await using at = await scene();
    const socket = await openTunnel(at.entrepot.port, { target: 'quay.io:443' });
    socket.write(await helloOf({ servername: 'quay.io', maxVersion: 'TLSv1.2' }));
    await once(socket, 'data');
    const unknownCa = Buffer.from([21, 3, 3, 0, 2, 2, 48]);
    socket.write(unknownCa);
    await at.entrepot.until('proxy.distrusted', ({ host }) => host === 'quay.io');
    socket.destroy();
  });
});

describe('a server that asks itself', () => {
  test('says so instead of asking for ever', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const upstreams = { 'quay.io': { url, insecure: true, dial: ['127.0.0.1'] } };
    await using entrepot = await Entrepot.start({ config: { http: { addr: `127.0.0.1:${port}` }, upstreams } });
    const { status } = await get(`${url}/v2/team/app/manifests/1?ns=quay.io`);
    assert.ok(status >= 500, String(status));
    const loops = entrepot.told('request.done').filter((event) => event.status === 508);
    assert.ok(loops.length > 0);
    assert.ok(entrepot.told('request.done').length < 10, 'it does not go round');
  });
});
