/**
 * What proves who somebody is proves it here alone: administration has its own token, and no secret shows anywhere.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { ann, ci, loginScene, twoLines, users } from '../support/login-scene.ts';
import { askForToken, basic, bearer, postForToken, tokenOf } from '../support/logins.ts';
import { TempDir } from '../support/temp-dir.ts';

test('remote administration needs its own token, wherever it comes from', async () => {
  await using directory = await TempDir.make();
  const tokenfile = join(directory.path, 'token');
  const token = 'b2c9f9f2d2f04d7d8d4f2d1c9a7e5f31';
  await writeFile(tokenfile, `${token}\n`);
  await using entrepot = await Entrepot.start({ directory: directory.path, config: { admin: { tokenfile } } });
  const statistics = `${entrepot.origin}/admin/v1/statistics`;
  assert.equal((await get(statistics, { headers: bearer(token) })).status, 200);
  for (const headers of [{}, bearer('guess'), basic('admin', token), { 'X-Forwarded-For': '127.0.0.1' }]) {
    const answer = await get(statistics, { headers });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="administration"');
  }
  await writeFile(tokenfile, 'another-token-of-twenty-or-more');
  await entrepot.reload();
  assert.equal((await get(statistics, { headers: bearer('another-token-of-twenty-or-more') })).status, 200);
  await writeFile(tokenfile, 'short');
  await entrepot.reload();
  assert.match(entrepot.told('config.invalid')[0]?.message ?? '', /admin\.tokenfile: .*; write what/);
  await entrepot.configure({});
  assert.equal((await get(statistics, { headers: bearer(token) })).status, 404);
});

test('no password and no token is in the log, in an answer, or at rest', async () => {
  await using at = await loginScene({ access: twoLines });
  const scope = ['scope', 'repository:local/app:pull,push'] as const;
  const issued = await askForToken(at.realm, [['account', 'ann'], ['offline_token', 'true'], scope], ann);
  const { token, refresh_token: refresh = '' } = tokenOf(issued);
  const hubs = 'their-docker-hub-password';
  const form = { grant_type: 'password', username: 'ci', password: users.ci };
  const answers = [
    await get(`${at.origin}/v2/`, { headers: ann }),
    await get(`${at.origin}/v2/`, { headers: basic('ann', hubs) }),
    await get(`${at.origin}/v2/local/app/manifests/1`, { headers: bearer(token) }),
    await get(`${at.origin}/v2/local/app/manifests/1`, { headers: bearer(`${token}x`) }),
    await get(`${at.origin}/v2/team/app/manifests/1?ns=nobody.example`, { headers: ci }),
    await postForToken(at.realm, { ...form, password: hubs }),
    await postForToken(at.realm, { grant_type: 'refresh_token', refresh_token: `${refresh}x` }),
  ];
  await postForToken(at.realm, form);
  const signature = token.split('.')[2] ?? '';
  const secrets = [users.ann, users.ci, hubs, token, signature, refresh, ann.Authorization.slice(6)];
  // The log, the access log and the metrics have nothing but these to tell.
  const events = JSON.stringify(at.entrepot.events);
  const index = await readFile(join(at.entrepot.storeDirectory, 'entrepot', 'index.db'), 'latin1');
  const told = [events, ...answers.map(({ body }) => body.toString()), index].join('\n');
  for (const secret of secrets) assert.equal(told.includes(secret), false, secret);
  assert.match(events, /request\.done/);
});
