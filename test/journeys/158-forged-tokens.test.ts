/**
 * A token is believed for its signature, its issuer, its audience and its time, and for nothing that it says of itself.
 */
import assert from 'node:assert/strict';
import { createPrivateKey, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeJwt, SignJWT } from 'jose';
import { makeAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { ann, app, loginScene, twoLines } from '../support/login-scene.ts';
import { askForToken, bearer, challengeOf, tokenOf } from '../support/logins.ts';
import { push } from '../support/push.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const issuer = makeAuthority('Tokens');
const issuerKey = createPrivateKey(issuer.key);
const stranger = createPrivateKey(makeAuthority('Tokens').key);
const names = { realm: 'https://auth.example/token', service: 'registry.example', issuer: 'auth.example' };
const now = (): number => Math.floor(Date.now() / 1_000);

function token(claims: object = {}, key: KeyObject = issuerKey, alg = 'ES256'): Promise<string> {
  const access = [{ type: 'repository', name: 'team/app', actions: ['pull', 'push', 'delete'] }];
  const whole = { iss: names.issuer, aud: names.service, sub: 'ann', exp: now() + 300, access, ...claims };
  return new SignJWT(whole).setProtectedHeader({ alg }).sign(key);
}

/** What the token says, under a header of nobody's making, and without a signature. */
function unsigned(signed: string, header: object): string {
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${signed.split('.')[1]}.`;
}

async function foreignScene() {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make()).path;
  const rootcertbundle = join(directory, 'tokens.pem');
  await writeFile(rootcertbundle, issuer.ca);
  const config = { auth: { token: { ...names, rootcertbundle } } };
  const entrepot = opening.use(await Entrepot.start({ config, directory, registryMode: true }));
  const scope = opening.move();
  return { origin: entrepot.origin, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

/** Every kind of request, with a token that proves nothing. */
async function assertUseless(origin: string, repository: string, forged: string, what: string): Promise<void> {
  for (const [method, path] of [
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', `/v2/${repository}/manifests/1`],
    ['HEAD', `/v2/${repository}/blobs/${app.config.digest}`],
    ['GET', `/v2/${repository}/tags/list`],
    ['POST', `/v2/${repository}/blobs/uploads/`],
    ['DELETE', `/v2/${repository}/manifests/${app.digest}`],
  ] as const) {
    const answer: Answer = await get(`${origin}${path}`, { method, headers: bearer(forged) });
    assert.equal(answer.status, 401, `${what}: ${method} ${path}`);
    assert.equal(challengeOf(answer)?.['error'], 'invalid_token', `${what}: ${method} ${path}`);
  }
}

describe("where another's service is trusted", () => {
  test('its tokens are good for what they say, and a challenge says where to get one', async () => {
    await using at = await foreignScene();
    const headers = bearer(await token());
    await push(at.origin, 'team/app', '1', app, { headers });
    assert.equal((await pull(at.origin, 'team/app', '1', { headers })).digest, app.digest);
    const { realm, service } = names;
    assert.deepEqual(challengeOf(await get(`${at.origin}/v2/`)), { scheme: 'Bearer', realm, service });
    const other = await get(`${at.origin}/v2/team/other/manifests/1`, { headers });
    const scope = 'repository:team/other:pull';
    assert.deepEqual(challengeOf(other), { scheme: 'Bearer', realm, service, scope, error: 'insufficient_scope' });
    assert.equal((await get(`${at.origin}/v2/team/app/manifests/1`)).status, 401);
    assert.equal((await get(`${at.origin}/auth/token`)).status, 404);
  });

  test('no other token is good for anything', async () => {
    await using at = await foreignScene();
    await push(at.origin, 'team/app', '1', app, { headers: bearer(await token()) });
    const good = await token();
    const publicKey = createSecretKey(Buffer.from(issuer.ca));
    const forged: Readonly<Record<string, string>> = {
      'signed by somebody else of the same name': await token({}, stranger),
      'signed with the certificate as a secret': await token({}, publicKey, 'HS256'),
      'signed by nobody': unsigned(good, { alg: 'none' }),
      'signed by NoNe': unsigned(good, { alg: 'NoNe', typ: 'JWT' }),
      'with nothing for a signature': unsigned(good, { alg: 'ES256' }),
      'changed afterwards': changed(good),
      'of another issuer': await token({ iss: 'evil.example' }),
      'for another service': await token({ aud: 'other.example' }),
      'for nobody': await token({ aud: undefined }),
      'of yesterday': await token({ exp: now() - 24 * 3_600 }),
      'for ever': await token({ exp: undefined }),
      'of tomorrow': await token({ nbf: now() + 24 * 3_600 }),
      'that is none': 'token',
    };
    for (const [what, text] of Object.entries(forged)) await assertUseless(at.origin, 'team/app', text, what);
  });
});

describe('where the tokens are our own', () => {
  const scope = ['scope', 'repository:local/app:pull,push,delete'] as const;

  test('those of another server are not, nor what has been changed or asked for otherwise', async () => {
    await using at = await loginScene({ access: twoLines.slice(1) });
    await using other = await loginScene({ access: twoLines });
    const mine = tokenOf(await askForToken(at.realm, [scope, ['offline_token', 'true']], ann));
    const theirs = tokenOf(await askForToken(other.realm, [scope], ann));
    await push(at.origin, 'local/app', '1', app, { headers: bearer(mine.token) });
    for (const [what, text] of Object.entries({
      "another server's": theirs.token,
      'changed afterwards': changed(mine.token),
      'signed by nobody': unsigned(mine.token, { alg: 'none' }),
      'one for asking for tokens': mine.refresh_token ?? '',
      'with a key of its own': await token({ ...decodeJwt(mine.token) }),
    })) {
      for (const [method, path] of [
        ['GET', '/v2/local/app/manifests/1'],
        ['POST', '/v2/local/app/blobs/uploads/'],
      ] as const)
        assert.equal((await get(`${at.origin}${path}`, { method, headers: bearer(text) })).status, 401, what);
    }
  });
});

/** One user more may do it. */
function changed(signed: string): string {
  const [header, , signature] = signed.split('.');
  const claims = { ...decodeJwt(signed), sub: 'ci' };
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}
