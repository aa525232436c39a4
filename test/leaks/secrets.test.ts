/** After every way by every door, with all that anybody shows: nothing of it is told or kept anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretsIn } from '../support/secrets-in.ts';
import { shelves } from './content.ts';
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
