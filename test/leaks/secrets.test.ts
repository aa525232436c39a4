/** After every way by every door, with all that anybody shows: nothing of it is told or kept anywhere. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { basic } from '../support/logins.ts';
import { ServerProcess } from '../support/processes.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { TempDir } from '../support/temp-dir.ts';
import { ProxiedClient } from '../support/tunnel.ts';
import { furnishUpstream, grants, privateRepositories, shelves } from './content.ts';
import { ask, doors, isTransparent, pathAt } from './doors.ts';
import { forgeries, leaked, leakScene, ops, secrets, standInFor, tokenFor } from './scene.ts';
import { waysTo } from './ways.ts';

test('no password and no token is in the log, in the metrics, in the index or in any file', async () => {
  await using at = await leakScene({ account: true, exposure: 'authenticated' });
  const tokens = [
    await tokenFor(at, 'alice'),
    await tokenFor(at, 'bob'),
    await standInFor(at, 'carol'),
    ...Object.values(forgeries(at.clock.now())).filter((each) => each.length > 20),
  ];
  const { port } = at.entrepot;
  const ways = waysTo(shelves.plans).filter(({ name }) => ['tag', 'layer', 'list of tags'].includes(name));
  let asked = 0;
  // As a user of this cache last: guesses make the address wait.
  for (const authorization of [...tokens.filter((each) => each.startsWith('Bearer ')), ops]) {
    for (const door of doors) {
      for (const { path, headers = {} } of ways) {
        const host =
          door === 'sideways' ? 'quay.io' : isTransparent(door) ? 'registry-1.docker.io' : `127.0.0.1:${port}`;
        const sent = { ...headers, host: door === 'absolute' ? 'registry-1.docker.io' : host, authorization };
        await ask({ method: 'GET', path: pathAt(door, path), headers: sent, port, agent: at.agentFor(door) });
        asked++;
      }
    }
  }
  await ask({ method: 'GET', path: '/v2/', headers: { authorization: leaked }, port, agent: false });
  await at.entrepot.until('request.done', () => true, asked);
  const metrics = await at.metrics();
  assert.match(metrics, /^entrepot_/m);
  const events = JSON.stringify(at.entrepot.events);
  await at.entrepot.stop();
  const bare = tokens.map((each) => each.replace(/^\w+ /, ''));
  const signatures = bare.map((each) => each.split('.')[2] ?? each);
  const encoded = [leaked, ops].map((each) => each.replace(/^\w+ /, ''));
  const all = [...secrets, ...bare, ...signatures, ...encoded];
  for (const secret of all) assert.ok(!events.includes(secret) && !metrics.includes(secret), secret);
  assert.deepEqual(await secretsIn(at.entrepot.storeDirectory, all), []);
  assert.deepEqual(await secretsIn(at.entrepot.directory, [secrets[0] ?? '', ...bare]), []);
});

test('no password and no token is in the report of a crash, nor in what else a process of its own leaves behind', async () => {
  await using scope = new AsyncDisposableStack();
  const { path: directory } = scope.use(await TempDir.make());
  const users = { alice: 'alices-own-secret', robot: 'the-secret-of-this-cache' };
  const auth = { kind: 'bearer', users, grants, private: privateRepositories } as const;
  const hub = scope.use(await CountingUpstream.start({ auth }));
  furnishUpstream(hub);
  const reports = scope.use(await TempDir.make());
  const server = scope.use(
    await ServerProcess.start({
      directory,
      config: { log: { formatter: 'json' }, upstreams: { 'docker.io': { url: hub.origin, insecure: true } } },
      env: {
        NODE_OPTIONS: `--report-on-signal --report-directory=${reports.path} --report-filename=report.json`,
        ENTREPOT_UPSTREAMS_DOCKER_IO_CREDENTIALS_USERNAME: 'robot',
        ENTREPOT_UPSTREAMS_DOCKER_IO_CREDENTIALS_PASSWORD: users.robot,
        SOMEBODY_ELSES_TOKEN: 'a-token-of-the-machine',
      },
    }),
  );
  const ca = (await get(`${server.origin}/ca.crt?ca=interception`)).body.toString();
  const names = { [hub.origin]: 'https://registry-1.docker.io' };
  const login = { username: 'alice', password: users.alice };
  const client = new ProxiedClient(() => server.port, { ca, names }, login);
  for (const { name, tag } of [shelves.plans, shelves.both]) {
    const { status, body } = await client.request(`https://registry-1.docker.io/v2/${name}/manifests/${tag}`);
    assert.equal(status, 200, body.toString());
  }
  const report = await reportOf(server, reports.path);
  assert.match(report, /"javascriptStack"/);
  assert.match(report, /"libuv"/);
  await server.stop();
  const encoded = [basic('alice', users.alice), basic('robot', users.robot)].map((each) => each.Authorization.slice(6));
  const tokens = [...client.tokens].map((each) => each.replace(/^\w+ /, ''));
  assert.equal(tokens.length, 2);
  const all = [...Object.values(users), 'a-token-of-the-machine', ...encoded, ...tokens];
  for (const secret of all) assert.ok(!report.includes(secret) && !server.logs.includes(secret), secret);
  assert.deepEqual(await secretsIn(directory, all), []);
  assert.deepEqual(await secretsIn(reports.path, all), []);
});

/** What Node writes when the process ends badly, of one that goes on. */
async function reportOf({ pid }: ServerProcess, directory: string): Promise<string> {
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    const text = await readFile(join(directory, 'report.json'), 'utf8').catch(() => '');
    if (isWhole(text)) return text;
    await delay(10);
  }
}

function isWhole(report: string): boolean {
  try {
    JSON.parse(report);
    return true;
  } catch {
    return false;
  }
}
