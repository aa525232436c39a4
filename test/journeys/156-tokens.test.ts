/**
 * For a password there are tokens: for what was asked, as long as it may be had, and not for long.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { get, head } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { ann, app, loginScene, twoLines, users } from '../support/login-scene.ts';
import { askForToken, bearer, challengeOf, htpasswdOf, postForToken, tokenOf } from '../support/logins.ts';
import { push } from '../support/push.ts';
import { pull } from '../support/pull.ts';

describe('a token', () => {
  test('is good for what it was asked for and may be had, and for nothing else', async () => {
    await using at = await loginScene({
      access: [
        { who: 'ann', may: ['pull', 'push'], on: 'local/ann/**' },
        { who: 'anonymous', may: 'pull', on: 'docker.io/**' },
      ],
    });
    const wanted = ['repository:local/ann/app:pull,push,delete', 'repository:local/ci/app:pull', 'repository:redis:*'];
    const issued = tokenOf(
      await askForToken(
        at.realm,
        wanted.map((scope) => ['scope', scope]),
        ann,
      ),
    );
    assert.equal(issued.scope, 'repository:local/ann/app:pull,push repository:redis:pull');
    assert.equal(issued.token, issued.access_token);
    const headers = bearer(issued.token);
    await push(at.origin, 'local/ann/app', '1', app, { headers });
    await pull(at.origin, 'redis', '7', { headers });
    await pull(at.origin, 'library/redis', '7', { headers });
    const other = await head(`${at.origin}/v2/local/ann/other/manifests/1`, { headers });
    assert.equal(other.status, 401);
    assert.equal(challengeOf(other)?.['error'], 'insufficient_scope');
    const never = await get(`${at.origin}/v2/local/ci/app/manifests/1`, { headers });
    assert.equal(never.status, 403);
    assert.match(never.body.toString(), /ann may not pull from local\/ci\/app/);
    const list = await get(`${at.origin}/v2/_catalog`, { headers });
    assert.equal(challengeOf(list)?.['scope'], 'registry:catalog:*');
    const all = tokenOf(await askForToken(at.realm, [['scope', 'registry:catalog:*']], ann));
    const listed = await get(`${at.origin}/v2/_catalog`, { headers: bearer(all.token) });
    assert.deepEqual(JSON.parse(listed.body.toString()), {
      repositories: ['docker.io/library/redis', 'local/ann/app'],
    });
  });

  test('is found wanting as soon as the rules are changed', async () => {
    await using at = await loginScene({ access: twoLines });
    const { token } = tokenOf(await askForToken(at.realm, [['scope', 'repository:local/app:push']], ann));
    const start = { method: 'POST', headers: bearer(token) };
    assert.equal((await get(`${at.origin}/v2/local/app/blobs/uploads/`, start)).status, 202);
    await at.entrepot.configure({
      auth: { htpasswd: { path: at.path } },
      access: [
        { who: 'ci', may: ['push'], on: '**' },
        { who: 'anonymous', may: 'pull', on: '**' },
      ],
    });
    assert.equal((await get(`${at.origin}/v2/local/app/blobs/uploads/`, start)).status, 403);
  });

  test('can be had with POST, and a login that outlives it is worth what the password is worth', async () => {
    await using at = await loginScene({ access: twoLines });
    const form = { grant_type: 'password', username: 'ci', password: users.ci, client_id: 'containerd-client' };
    const first = tokenOf(await postForToken(at.realm, { ...form, service: 'entrepot', access_type: 'offline' }));
    assert.ok(first.refresh_token);
    const again = {
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      scope: 'repository:local/app:pull,push',
    };
    const second = tokenOf(await postForToken(`${at.origin}/token`, again));
    await push(at.origin, 'local/app', '1', app, { headers: bearer(second.access_token) });
    assert.equal((await get(`${at.origin}/v2/`, { headers: bearer(first.refresh_token) })).status, 401);
    assert.equal((await postForToken(at.realm, { ...form, password: 'wrong' })).status, 401);
    assert.equal((await postForToken(at.realm, { ...again, refresh_token: first.access_token })).status, 401);
    assert.equal((await postForToken(at.realm, { grant_type: 'implicit' })).status, 400);
    await writeFile(at.path, htpasswdOf({ ...users, ci: 'another' }));
    await at.entrepot.reload();
    assert.equal((await postForToken(at.realm, again)).status, 401);
  });

  test('survives a restart, and ends in minutes', async () => {
    const clock = new FakeClock();
    await using at = await loginScene({ access: twoLines, clock });
    const { token, expires_in } = tokenOf(
      await askForToken(at.realm, [['scope', 'repository:local/app:pull,push']], ann),
    );
    await at.entrepot.restart();
    const { origin } = at.entrepot;
    await push(origin, 'local/app', '1', app, { headers: bearer(token) });
    await clock.advance(expires_in * 1_000);
    const answer = await get(`${origin}/v2/local/app/blobs/uploads/`, { method: 'POST', headers: bearer(token) });
    assert.equal(answer.status, 401);
    assert.equal(challengeOf(answer)?.['error'], 'invalid_token');
  });
});
