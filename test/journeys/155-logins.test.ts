/**
 * People log in with a password, and machines with what they got for it. Whoever need not is never asked.
 */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { ann, app, ci, loginScene, twoLines, users } from '../support/login-scene.ts';
import { askForToken, basic, bearer, challengeOf, hashOf, htpasswdOf, tokenOf, withToken } from '../support/logins.ts';
import { push, pushAsDockerd } from '../support/push.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { TempDir } from '../support/temp-dir.ts';

describe("registry's htpasswd, without rules", () => {
  test('lets users do everything, and asks everybody else for a password', async () => {
    await using at = await loginScene({ registryMode: true });
    await push(at.origin, 'team/app', '1', app, { headers: ann });
    assert.equal((await pull(at.origin, 'team/app', '1', { headers: ci })).digest, app.digest);
    for (const path of ['/v2/', '/v2/_catalog', '/v2/team/app/manifests/1', '/v2/team/app/tags/list']) {
      for (const headers of [{}, basic('ann', 'wrong'), basic('nobody', ''), { Authorization: 'Basic !' }]) {
        const answer = await get(`${at.origin}${path}`, { headers });
        assert.equal(answer.status, 401, path);
        assert.deepEqual(challengeOf(answer), { scheme: 'Basic', realm: 'The house' });
      }
      assert.equal((await get(`${at.origin}${path}`, { headers: ann })).status, 200, path);
    }
    assert.equal((await get(`${at.origin}/`)).status, 200);
  });

  test('makes the file when it is not there, with a user whose password is in the log once', async () => {
    await using directory = await TempDir.make();
    const path = join(directory.path, 'made', 'users');
    const config = { auth: { htpasswd: { realm: 'x', path } } };
    await using entrepot = await Entrepot.start({ config, directory: directory.path, registryMode: true });
    const notices = entrepot.told('config.notice').map(({ message }) => message);
    const [, password = ''] = /user docker.* password ([\w-]+)/.exec(notices.join('\n')) ?? [];
    assert.equal((await get(`${entrepot.origin}/v2/`)).status, 401);
    assert.equal((await get(`${entrepot.origin}/v2/`, { headers: basic('docker', password) })).status, 200);
    await entrepot.restart();
    assert.equal((await get(`${entrepot.origin}/v2/`, { headers: basic('docker', password) })).status, 200);
    assert.equal(entrepot.told('config.notice').length, notices.length);
  });
});

describe('anonymous pull with authenticated push in one registry', () => {
  test('is two lines', async () => {
    await using at = await loginScene({ access: twoLines });
    await push(at.origin, 'local/app', '1', app, { headers: ci });
    await pull(at.origin, 'local/app', '1');
    await pull(at.origin, 'library/redis', '7');
    const refused = await get(`${at.origin}/v2/local/app/blobs/uploads/`, { method: 'POST' });
    assert.equal(refused.status, 401);
    assert.deepEqual(challengeOf(refused), {
      scheme: 'Bearer',
      realm: at.realm,
      service: 'entrepot',
      scope: 'repository:local/app:pull,push',
    });
  });

  test('says at /v2/ how to log in, because dockerd and podman ask nowhere else', async () => {
    await using at = await loginScene({ access: twoLines });
    assert.deepEqual(challengeOf(await get(`${at.origin}/v2/`)), {
      scheme: 'Bearer',
      realm: at.realm,
      service: 'entrepot',
    });
    const anybody = tokenOf(await askForToken(at.realm, [['service', 'entrepot']])).token;
    for (const headers of [bearer(anybody), ann]) {
      assert.equal((await get(`${at.origin}/v2/`, { headers })).status, 200);
    }
  });

  test("never asks a mirror's client for a password, nor believes or minds one", async () => {
    await using at = await loginScene({
      access: [{ who: 'anonymous', may: 'pull', on: 'docker.io/library/*' }, ...twoLines.slice(1)],
    });
    for (const path of ['/v2/?ns=docker.io', '/docker.io/v2/'])
      assert.equal((await get(`${at.origin}${path}`)).status, 200);
    for (const path of ['/v2/team/app/manifests/1?ns=docker.io', '/docker.io/v2/team/app/manifests/1']) {
      const answer = await get(`${at.origin}${path}`);
      assert.equal(answer.status, 403, path);
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
    const headers = basic('somebody-at-docker-hub', 'their secret');
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io', headers });
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io', headers: bearer('a token of somebody else') });
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io', headers: ann });
  });

  test('knows a user who comes as to a mirror with a password that is ours', async () => {
    const rules = [{ who: 'ann', may: 'pull', on: 'docker.io/team/**' }, ...twoLines.slice(1)];
    await using at = await loginScene({ access: [{ who: 'anonymous', may: 'pull', on: 'local/**' }, ...rules] });
    at.hub.publish('team/plans:1', app);
    await pull(at.origin, 'team/plans', '1', { ns: 'docker.io', headers: ann });
    assert.equal((await get(`${at.origin}/v2/team/plans/manifests/1?ns=docker.io`)).status, 403);
  });

  test('pulls as anybody for who shows it a password for Docker Hub, which goes nowhere and is told to nobody (moby#42022)', async () => {
    await using at = await loginScene({ access: twoLines });
    const secret = 'their secret at Docker Hub';
    const headers = basic('somebody-at-docker-hub', secret);
    await pull(at.origin, 'library/redis', '7', { ns: 'docker.io', headers });
    await at.entrepot.stored(2);
    assert.equal(at.hub.count({ authorization: 'none' }), at.hub.count(), at.hub.summary());
    const secrets = [secret, headers.Authorization.slice(6)];
    const told = JSON.stringify(at.entrepot.events);
    for (const text of secrets) assert.ok(!told.includes(text), text);
    await at.entrepot.stop();
    assert.deepEqual(await secretsIn(at.entrepot.directory, secrets), []);
  });

  test('gives dockerd, which shows a mirror its password for Docker Hub, what anybody may have', async () => {
    await using at = await loginScene({ access: twoLines });
    const hubs = basic('somebody-at-docker-hub', 'their secret');
    const scope = ['scope', 'repository:library/redis:pull'] as const;
    const { token } = tokenOf(await askForToken(at.realm, [['account', 'somebody-at-docker-hub'], scope], hubs));
    await pullAsDockerd(at.origin, 'library/redis', '7', { headers: bearer(token) });
    for (const asked of [
      [['scope', 'repository:local/app:pull,push']],
      [['offline_token', 'true']],
      [scope, ['offline_token', 'true']],
    ]) {
      assert.equal((await askForToken(at.realm, asked as [string, string][], hubs)).status, 401);
    }
  });

  test('works below a prefix, where the token service is, too', async () => {
    await using at = await loginScene({ access: twoLines, http: { prefix: '/registry/' } });
    const url = `${at.origin}/registry/v2/local/app/blobs/uploads/`;
    const { refused, answer } = await withToken(url, 'POST', ann);
    assert.deepEqual(challengeOf(refused), {
      scheme: 'Bearer',
      realm: `${at.origin}/registry/auth/token`,
      service: 'entrepot',
      scope: 'repository:local/app:pull,push',
    });
    assert.equal(answer.status, 202);
    assert.equal((await get(`${at.origin}/registry/v2/`)).status, 401);
    assert.equal((await get(`${at.origin}/registry/quay.io/v2/`)).status, 200);
  });

  test('works with a token at every step of a push', async () => {
    await using at = await loginScene({ access: twoLines });
    const scopes = ['repository:local/app:push,pull', 'repository:local/other:pull'];
    const { token } = tokenOf(
      await askForToken(
        at.realm,
        scopes.map((scope) => ['scope', scope]),
        ann,
      ),
    );
    await pushAsDockerd(at.origin, 'local/app', '1', app, { headers: bearer(token) });
    assert.equal(
      (await get(`${at.origin}/v2/local/app/manifests/1`, { method: 'DELETE', headers: bearer(token) })).status,
      401,
    );
    const { refused, answer } = await withToken(`${at.origin}/v2/local/app/manifests/1`, 'DELETE', ann);
    assert.equal(challengeOf(refused)?.['scope'], 'repository:local/app:delete');
    assert.equal(answer.status, 202);
  });
});

test('a server does not start with passwords that it cannot check', async () => {
  await using directory = await TempDir.make();
  const path = join(directory.path, 'users');
  const config = { auth: { htpasswd: { path } } };
  for (const [hash, said] of [
    ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /line 1: the password of "ann" is SHA-1, and only bcrypt is accepted; write/],
    [`$2y$31$${'a'.repeat(53)}`, /line 1: .* has cost 31, and more than 16 takes too long to check; write/],
  ] as const) {
    await writeFile(path, `ann:${hash}\n`);
    for (const registryMode of [true, false])
      await assert.rejects(Entrepot.start({ config, directory: directory.path, registryMode }), said);
  }
});

test('passwords are right in every spelling of bcrypt', async () => {
  await using directory = await TempDir.make();
  const path = join(directory.path, 'users');
  const hash = hashOf('correct horse').slice(4);
  await writeFile(path, ['2a', '2b', '2y'].map((kind) => `user${kind}:$${kind}$${hash}\n`).join(''));
  await using entrepot = await Entrepot.start({ config: { auth: { htpasswd: { path } } }, directory: directory.path });
  for (const user of ['user2a', 'user2b', 'user2y']) {
    assert.equal((await get(`${entrepot.origin}/v2/`, { headers: basic(user, 'correct horse') })).status, 200, user);
    assert.equal((await get(`${entrepot.origin}/v2/`, { headers: basic(user, 'correct horsf') })).status, 401, user);
  }
});

test('users come and go with the file, and a broken one changes nothing', async () => {
  await using at = await loginScene({ registryMode: true });
  const ping = async (user: string, password: string): Promise<number> =>
    (await get(`${at.origin}/v2/`, { headers: basic(user, password) })).status;
  assert.equal(await ping('ann', users.ann), 200);
  const { token } = tokenOf(await askForToken(at.realm, [], ann));
  assert.equal((await get(`${at.origin}/v2/`, { headers: bearer(token) })).status, 200);
  await writeFile(at.path, htpasswdOf({ ann: 'new', bob: 'builder' }));
  await at.entrepot.reload();
  assert.equal((await get(`${at.origin}/v2/`, { headers: bearer(token) })).status, 401);
  assert.deepEqual(
    [await ping('ann', users.ann), await ping('ann', 'new'), await ping('bob', 'builder')],
    [401, 200, 200],
  );
  await writeFile(at.path, 'ann:$apr1$abc$def\n');
  await at.entrepot.reload();
  await rm(at.path);
  await at.entrepot.reload();
  const invalid = at.entrepot.told('config.invalid').map(({ message }) => message);
  assert.match(
    invalid[0] ?? '',
    /auth\.htpasswd\.path: .*users line 1: the password of "ann" is Apache's MD5.*entrepot htpasswd/,
  );
  assert.match(invalid[1] ?? '', /auth\.htpasswd\.path: .*users does not exist/);
  assert.deepEqual([await ping('ann', 'new'), await ping('bob', 'builder')], [200, 200]);
});

test("what only the cache's own credentials can see is shown to users, and to others never", async () => {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make()).path;
  const auth = { kind: 'bearer', realm: 'own', users: { cache: 'pw' }, private: ['team/plans'] } as const;
  const quay = opening.use(await CountingUpstream.start({ auth }));
  quay.publish('team/plans:1', app);
  const path = join(directory, 'users');
  await writeFile(path, htpasswdOf(users));
  const config = {
    auth: { htpasswd: { path } },
    access: twoLines,
    upstreams: { 'quay.io': { credentials: { username: 'cache', password: 'pw' } } },
  };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'quay.io': quay }, directory, config }));
  const image = 'quay.io/team/plans';
  await pull(entrepot.origin, image, '1', { headers: ann });
  const refused = await get(`${entrepot.origin}/v2/${image}/manifests/1`);
  assert.equal(refused.status, 401);
  assert.equal((await get(`${entrepot.origin}/v2/team/plans/manifests/1?ns=quay.io`)).status, 403);
  const { answer } = await withToken(`${entrepot.origin}/v2/${image}/manifests/1`, 'GET', ann);
  assert.equal(answer.status, 200);
});
