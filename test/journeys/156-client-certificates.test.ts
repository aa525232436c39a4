/**
 * A certificate says who its bearer is, where the operator has named who signs such: no password, no token, no login.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeAuthority, testAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import type { RequestOptions } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { app, users } from '../support/login-scene.ts';
import { basic, challengeOf, htpasswdOf } from '../support/logins.ts';
import { push } from '../support/push.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const { ca, ...authority } = testAuthority();
const theirs = makeAuthority('Clients');

/** Anybody pulls; ann pushes. */
const rules = [
  { who: 'anonymous', may: 'pull', on: '**' },
  { who: 'ann', may: ['pull', 'push', 'delete'], on: 'local/**' },
];

async function scene(more: Readonly<Record<string, unknown>>, registryMode = false) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make()).path;
  const files = { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
  const clientcas = join(directory, 'clients.pem');
  const path = join(directory, 'users');
  const { cert, key } = authority.issue(['localhost', '127.0.0.1']);
  await Promise.all([
    writeFile(files.certificate, cert),
    writeFile(files.key, key),
    writeFile(clientcas, theirs.ca),
    writeFile(path, htpasswdOf(users)),
  ]);
  const tls = { ...files, clientcas: [clientcas], clientauth: 'verify-client-cert-if-given' };
  const config = { http: { addr: '127.0.0.1:0', tls }, auth: { htpasswd: { path } }, ...more };
  const entrepot = opening.use(await Entrepot.start({ directory, config, registryMode }));
  const scope = opening.move();
  const as = (name: string): RequestOptions => {
    const agent = new Agent({ ca, ...theirs.issue([name], 'client') });
    return { ca, agent: scope.adopt(agent, (each) => each.destroy()) };
  };
  return { entrepot, origin: entrepot.origin, as, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

describe('a certificate of a client', () => {
  test('is a login, for as much as its name may', async () => {
    await using at = await scene({ access: rules });
    const ann = at.as('ann');
    const stranger = at.as('somebody');
    assert.equal((await get(`${at.origin}/v2/`, ann)).status, 200);
    await push(at.origin, 'local/app', '1', app, ann);
    await pull(at.origin, 'local/app', '1', stranger);
    const refused = await get(`${at.origin}/v2/local/app/blobs/uploads/`, { ...stranger, method: 'POST' });
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /somebody may not push to local\/app/);
    assert.equal(at.entrepot.told('request.done').at(-1)?.user, 'somebody');
  });

  test('steps back behind a password', async () => {
    await using at = await scene({ access: rules });
    const start = { ...at.as('somebody'), method: 'POST' };
    const url = `${at.origin}/v2/local/app/blobs/uploads/`;
    assert.equal((await get(url, { ...start, headers: basic('ann', users.ann) })).status, 202);
    const wrong = await get(url, { ...at.as('ann'), method: 'POST', headers: basic('ann', 'wrong') });
    assert.equal(wrong.status, 401);
  });

  test('is a login in a configuration of registry that has rules and no other way to log in', async () => {
    await using at = await scene({ auth: undefined, access: rules }, true);
    await push(at.origin, 'local/app', '1', app, at.as('ann'));
    const refused = await get(`${at.origin}/v2/local/app/blobs/uploads/`, { ca, method: 'POST' });
    assert.equal(refused.status, 403);
  });

  test('is nobody in a configuration of registry that has one, where it is a condition', async () => {
    await using at = await scene({}, true);
    const answer = await get(`${at.origin}/v2/`, at.as('ann'));
    assert.equal(answer.status, 401);
    assert.equal(challengeOf(answer)?.scheme, 'Basic');
  });
});
