/** Who may use the server as a proxy at all. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { fetchRaw } from '../support/http-client.ts';
import { makeImage } from '../support/images.ts';
import { basic, htpasswdOf } from '../support/logins.ts';
import { TempDir } from '../support/temp-dir.ts';
import { openTunnel, ProxiedClient } from '../support/tunnel.ts';

const app = makeImage({ seed: 'app' });
const loginOf = (user: string, password: string): string => basic(user, password).Authorization;
const ann = loginOf('ann', 'secret');
const manifest = 'https://quay.io/v2/team/app/manifests/1';

async function scene(config: Readonly<Record<string, unknown>>) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make());
  const path = directory.join('users');
  await writeFile(path, htpasswdOf({ ann: 'secret', bob: 'other' }));
  const quay = opening.use(await CountingUpstream.start({ tls: true }));
  quay.publish('team/app:1', app);
  const auth = { htpasswd: { realm: 'cache', path } };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'quay.io': quay }, config: { auth, ...config } }));
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  const as = (authorization?: string): ProxiedClient =>
    new ProxiedClient(() => entrepot.port, {
      ca,
      proxyHeaders: authorization === undefined ? {} : { 'proxy-authorization': authorization },
    });
  const scope = opening.move();
  return { quay, entrepot, as, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

describe('a proxy with users', () => {
  test('lets nobody through without a login where that is required', async () => {
    await using at = await scene({ intercept: { auth: 'required' } });
    await assert.rejects(at.as().ask(manifest), /answered 407/);
    await assert.rejects(at.as(loginOf('ann', 'wrong')).ask(manifest), /answered 407/);
    assert.equal((await at.as(ann).ask(manifest)).status, 200);
  });

  test('asks for one where nothing is open without, and rules say what for whom', async () => {
    const access = [{ who: 'ann', may: ['pull'], on: ['quay.io/**'] }];
    await using at = await scene({ access });
    await assert.rejects(at.as().ask(manifest), /answered 407/);
    assert.equal((await at.as(ann).ask(manifest)).status, 200);
    assert.equal((await at.as(loginOf('bob', 'other')).ask(manifest)).status, 403);
    assert.equal((await at.as(ann).ask(manifest)).status, 200, 'one is not taken for the other');
    const push = await at.as(ann).ask('https://quay.io/v2/team/app/blobs/uploads/', { method: 'POST' });
    assert.equal(push.status, 403);
  });

  test('tells nobody what was said to it', async () => {
    await using at = await scene({ intercept: { auth: 'required' } });
    await at.as(ann).ask(manifest);
    const sent = at.quay.ledger.entries.map(({ headers }) => JSON.stringify(headers)).join('\n');
    assert.doesNotMatch(sent, /proxy-authorization/i);
    assert.doesNotMatch(JSON.stringify(at.entrepot.events), new RegExp(ann.split(' ')[1] ?? ann));
  });

  test('asks as well for a request that names another host in its target', async () => {
    await using at = await scene({ intercept: { auth: 'required' } });
    const absolute = (headers: Readonly<Record<string, string>>) =>
      fetchRaw(at.entrepot.port, 'http://quay.io/v2/team/app/manifests/1', { headers });
    const refused = await absolute({});
    assert.equal(refused.status, 407);
    assert.match(refused.headers['proxy-authenticate'] ?? '', /^Basic realm=/);
    assert.equal((await absolute({ 'proxy-authorization': ann })).status, 200);
  });

  test('serves the networks that it is for, and no other', async () => {
    await using at = await scene({ intercept: { auth: 'none', clients: ['127.0.0.2/32'] } });
    await assert.rejects(at.as(ann).ask(manifest), /answered 403/);
    const socket = await openTunnel(at.entrepot.port, { target: 'quay.io:443', localAddress: '127.0.0.2' });
    socket.destroy();
  });
});
