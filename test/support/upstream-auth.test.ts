import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drain, get } from './client.ts';
import { CountingUpstream } from './counting-upstream.ts';
import { FakeClock } from './fake-clock.ts';
import { makeImage } from './images.ts';

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function tokenFor(
  upstream: CountingUpstream,
  repository: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const url = `${upstream.originOf('token')}/token?service=registry.test&scope=repository:${repository}:pull`;
  const { body } = await get(url, { headers });
  return JSON.parse(body.toString()).token;
}

describe('an upstream with a token service', () => {
  test('challenges with realm and scope, and takes the token that was got there', async () => {
    await using upstream = await CountingUpstream.start({ auth: { kind: 'bearer', realm: 'other' } });
    upstream.publish('library/redis:7', makeImage());
    const url = `${upstream.origin}/v2/library/redis/manifests/7`;
    const refused = await get(url);
    assert.equal(refused.status, 401);
    assert.notEqual(upstream.originOf('token'), upstream.origin);
    assert.equal(
      refused.headers['www-authenticate'],
      `Bearer realm="${upstream.originOf('token')}/token",service="registry.test",scope="repository:library/redis:pull"`,
    );
    const token = await tokenFor(upstream, 'library/redis');
    assert.equal((await get(url, { headers: bearer(token) })).status, 200);
    assert.equal((await get(url, { headers: bearer('made up') })).status, 401);
    assert.equal(upstream.count({ host: 'token' }), 1);
  });

  test('gives no token for one repository to another', async () => {
    await using upstream = await CountingUpstream.start({ auth: { kind: 'bearer' } });
    for (const name of ['a:1', 'b:1']) upstream.publish(name, makeImage());
    const headers = bearer(await tokenFor(upstream, 'a'));
    assert.equal((await get(`${upstream.origin}/v2/a/manifests/1`, { headers })).status, 200);
    assert.equal((await get(`${upstream.origin}/v2/b/manifests/1`, { headers })).status, 401);
  });

  test('lets tokens expire by the clock it was given, and revokes them at will', async () => {
    const clock = new FakeClock();
    await using upstream = await CountingUpstream.start({
      auth: { kind: 'bearer', tokenSeconds: 60 },
      now: () => clock.now(),
    });
    upstream.publish('app:1', makeImage());
    const url = `${upstream.origin}/v2/app/manifests/1`;
    const headers = bearer(await tokenFor(upstream, 'app'));
    await clock.advance(59_999);
    assert.equal((await get(url, { headers })).status, 200);
    await clock.advance(1);
    assert.equal((await get(url, { headers })).status, 401);
    const next = bearer(await tokenFor(upstream, 'app'));
    upstream.gatekeeper.revokeTokens();
    assert.equal((await get(url, { headers: next })).status, 401);
  });

  test('shows private repositories to users who may, and only to them', async () => {
    await using upstream = await CountingUpstream.start({
      auth: {
        kind: 'bearer',
        users: { alice: 'secret', bob: 'hunter2' },
        private: ['acme'],
        grants: { bob: ['acme/public-relations'] },
      },
    });
    upstream.publish('acme/app:1', makeImage());
    const status = async (headers?: Record<string, string>): Promise<number> => {
      const token = await tokenFor(upstream, 'acme/app', headers);
      return (await get(`${upstream.origin}/v2/acme/app/manifests/1`, { headers: bearer(token) })).status;
    };
    assert.equal(await status(), 401);
    assert.equal(await status(basic('alice', 'secret')), 200);
    assert.equal(await status(basic('bob', 'hunter2')), 401);
    const denied = await get(`${upstream.origin}/token?scope=repository:acme/app:pull`, {
      headers: basic('alice', 'wrong'),
    });
    assert.equal(denied.status, 401);
    upstream.gatekeeper.setPassword('alice', 'changed');
    assert.equal(await status(basic('alice', 'changed')), 200);
  });

  test('takes POST with the password in the body, or answers 404 to it', async () => {
    const auth = { kind: 'bearer', users: { alice: 'secret' }, private: ['app'] } as const;
    await using taking = await CountingUpstream.start({ auth });
    await using refusing = await CountingUpstream.start({ auth: { ...auth, post: false } });
    const body = 'grant_type=password&username=alice&password=secret&scope=repository:app:pull&service=registry.test';
    taking.publish('app:1', makeImage());
    const answer = await get(`${taking.origin}/token`, { method: 'POST', body });
    const headers = bearer(JSON.parse(answer.body.toString()).access_token);
    assert.equal((await get(`${taking.origin}/v2/app/manifests/1`, { headers })).status, 200);
    assert.equal((await get(`${refusing.origin}/token`, { method: 'POST', body })).status, 404);
  });
});

test('an upstream with Basic asks everybody for a name, unless anonymous may read', async () => {
  const users = { alice: 'secret' };
  await using closed = await CountingUpstream.start({ auth: { kind: 'basic', users } });
  await using open = await CountingUpstream.start({
    auth: { kind: 'basic', users, anonymous: true, private: ['app'] },
  });
  for (const upstream of [closed, open]) for (const name of ['app:1', 'free:1']) upstream.publish(name, makeImage());
  const status = async (upstream: CountingUpstream, name: string, headers = {}): Promise<number> =>
    (await get(`${upstream.origin}/v2/${name}/manifests/1`, { headers })).status;
  assert.equal(await status(closed, 'free'), 401);
  assert.equal(await status(closed, 'free', basic('alice', 'secret')), 200);
  assert.equal(await status(closed, 'free', basic('alice', 'wrong')), 401);
  assert.equal(await status(open, 'free'), 200);
  assert.equal(await status(open, 'app'), 401);
  assert.equal(await status(open, 'app', basic('alice', 'secret')), 200);
});

describe('an upstream that keeps its blobs elsewhere', () => {
  test('leads there by as many hops as it was told, signed, and over its own and another origin', async () => {
    await using upstream = await CountingUpstream.start({ blobRedirects: { hops: ['relative', 'absolute', 'cdn'] } });
    const [layer] = makeImage().layers;
    assert.ok(layer);
    upstream.publishBlob('app', layer);
    let url = `${upstream.origin}/v2/app/blobs/${layer.digest}`;
    const origins: string[] = [];
    for (let hop = 0; hop < 3; hop++) {
      const { status, headers } = await get(url);
      assert.equal(status, 307);
      assert.equal(URL.canParse(headers.location ?? ''), hop > 0);
      url = new URL(headers.location ?? '', url).href;
      origins.push(new URL(url).origin);
    }
    assert.deepEqual(origins, [upstream.origin, upstream.origin, upstream.originOf('cdn')]);
    assert.equal((await drain(url)).digest, layer.digest);
    assert.equal(upstream.blobBytes(layer.digest).sent, layer.size);
    assert.equal(upstream.count({ host: 'cdn' }), 1);
  });

  test('refuses credentials, forged and expired signatures at the other origin', async () => {
    const clock = new FakeClock();
    await using upstream = await CountingUpstream.start({
      blobRedirects: { signatureMs: 1000 },
      now: () => clock.now(),
    });
    const [layer] = makeImage().layers;
    assert.ok(layer);
    upstream.publishBlob('app', layer);
    const { location = '' } = (await get(`${upstream.origin}/v2/app/blobs/${layer.digest}`)).headers;
    const status = async (url: string, headers = {}): Promise<number> => (await get(url, { headers })).status;
    assert.equal(await status(location, bearer('leaked')), 400);
    assert.equal(await status(location.replace(/.$/, '!')), 403);
    assert.equal(await status(location.replace(/expires=\d/, 'expires=9')), 403);
    assert.equal(await status(location), 200);
    await clock.advance(1000);
    assert.equal(await status(location), 403);
  });
});
