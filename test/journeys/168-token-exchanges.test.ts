/** Clients of a registry that is away: whoever it let in not long ago gets what is held here, with a fresh token, too. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeImage } from '../support/images.ts';
import { overTime } from '../support/over-time.ts';
import { alice, bob, startProxiedQuay } from '../support/proxied-quay.ts';
import { secretsIn } from '../support/secrets-in.ts';
import type { Login } from '../support/tunnel.ts';

const minutes = 60_000;
const app = makeImage({ seed: 'app', layers: [1_000] });
const plans = makeImage({ seed: 'plans', layers: [1_000] });
const base = 'https://quay.io/v2';

async function scene() {
  const at = await startProxiedQuay({ app, plans });
  const pulled = async (repository: string, login?: Login): Promise<number> => {
    const { status } = await at.client(login).request(`${base}/${repository}/manifests/1`);
    return status;
  };
  return { ...at, pulled };
}

describe('while the registry is away', () => {
  test('a fresh token of an account that it let in is as good as the one before', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    assert.equal(await at.pulled('team/app', bob), 200);
    await at.entrepot.until('cache.answered', () => true, 2);
    await at.quay.down();
    await at.clock.advance(30 * minutes);
    assert.equal(await at.pulled('team/plans', alice), 200);
    assert.equal(await at.pulled('team/app', bob), 200);
    assert.equal(await at.pulled('team/app'), 200, 'what is public is everybody’s');
    assert.notEqual(await at.pulled('team/plans', bob), 200);
    assert.notEqual(await at.pulled('team/plans', { username: 'alice', password: 'a guess' }), 200);
    assert.notEqual(await at.pulled('team/plans'), 200);
  });

  test('so is one that is asked for with a form, as containerd does', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.entrepot.until('cache.answered');
    await at.quay.down();
    const fields = { grant_type: 'password', service: 'x', scope: 'repository:team/plans:pull', ...alice };
    const form = Buffer.from(new URLSearchParams(fields).toString());
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(form.length) };
    const given = await at.client().ask('https://quay.io/token', { method: 'POST', body: form, headers });
    assert.equal(given.status, 200, given.body.toString());
    const { access_token: token } = JSON.parse(given.body.toString()) as { readonly access_token: string };
    const bearer = { headers: { authorization: `Bearer ${token}` } };
    assert.equal((await at.client().ask(`${base}/team/plans/manifests/1`, bearer)).status, 200);
  });

  test('that lasts as long as the configuration says, and not beyond a refusal', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.quay.down();
    await at.clock.advance(13 * 60 * minutes);
    assert.notEqual(await at.pulled('team/plans', alice), 200);
  });

  test('also where it takes connections and says nothing, and then without waiting each time', async () => {
    await using at = await scene();
    assert.equal((await at.client().ask(`${base}/`)).status, 401);
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.entrepot.until('cache.answered');
    at.quay.blackhole();
    assert.equal((await overTime(at.clock, at.client().ask(`${base}/`))).status, 401);
    assert.equal(await overTime(at.clock, at.pulled('team/plans', alice)), 200);
    assert.equal(await at.pulled('team/plans', alice), 200, 'nobody waits for what was silent a moment ago');
  });

  test('what is held is there after a restart, too', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.entrepot.until('cache.answered');
    await at.quay.down();
    await at.entrepot.restart();
    assert.equal(await at.pulled('team/plans', alice), 200);
    assert.notEqual(await at.pulled('team/plans', bob), 200);
  });

  test('nobody logs in: whether a password is right cannot be told', async () => {
    await using at = await scene();
    assert.equal((await at.client().ask(`${base}/`)).status, 401);
    await at.quay.down();
    const ping = await at.client().ask(`${base}/`);
    assert.equal(ping.status, 401);
    assert.match(ping.headers['www-authenticate'] ?? '', /^Bearer realm=/);
    const headers = { authorization: `Basic ${Buffer.from('alice:a guess').toString('base64')}` };
    const login = await at.client().ask('https://quay.io/token?service=x&offline_token=true', { headers });
    assert.equal(login.status, 503);
    const proven = await at.client().ask(`${base}/`, { headers });
    assert.equal(proven.status, 503);
  });
});

describe('a token of ours', () => {
  test('never goes to the registry, which asks again when it is back', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.quay.down();
    const client = at.client(alice);
    assert.equal((await client.request(`${base}/team/plans/manifests/1`)).status, 200);
    await at.quay.up();
    await at.clock.advance(10 * minutes);
    at.quay.reset();
    assert.equal((await client.request(`${base}/team/plans/manifests/1`)).status, 200);
    assert.equal((await client.request(`${base}/team/plans/tags/list`)).status, 200);
    assert.ok(!at.quay.ledger.saw('entrepot-stand-in'), at.quay.summary());
  });

  test('is worth nothing when somebody else has made it', async () => {
    await using at = await scene();
    assert.equal(await at.pulled('team/plans', alice), 200);
    await at.quay.down();
    const text = Buffer.from(JSON.stringify(['whoever', at.clock.now() + minutes])).toString('base64url');
    const headers = { authorization: `Bearer entrepot-stand-in.${text}.${text}` };
    assert.notEqual((await at.client().ask(`${base}/team/plans/manifests/1`, { headers })).status, 200);
  });
});

describe('what is learned from exchanges', () => {
  test('is kept as hashes: no password and no token is anywhere', async () => {
    await using at = await scene();
    const { body } = await at.client().ask('https://quay.io/token?service=x&scope=repository:team/plans:pull', {
      headers: { authorization: `Basic ${Buffer.from('alice:alices-secret').toString('base64')}` },
    });
    const { token } = JSON.parse(body.toString()) as { readonly token: string };
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await at.client().ask(`${base}/team/plans/manifests/1`, { headers })).status, 200);
    await at.entrepot.stop();
    assert.deepEqual(await secretsIn(at.entrepot.storeDirectory, [token, alice.password]), []);
    assert.doesNotMatch(JSON.stringify(at.entrepot.events), new RegExp(`${token}|${alice.password}`));
  });
});
