/**
 * A server that its operator's checks find unwell serves nobody, and says so where orchestrators look.
 */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { overTime, until } from '../support/over-time.ts';
import { freePort } from '../support/ports.ts';
import { TempDir } from '../support/temp-dir.ts';

type Keys = Readonly<Record<string, unknown>>;

async function scene(health: Keys) {
  const clock = new FakeClock();
  const port = await freePort();
  const http = { debug: { addr: `127.0.0.1:${port}` } };
  const at = await Entrepot.start({ registryMode: true, config: { http, health }, clock });
  const debug = (path: string, method = 'GET'): Promise<Answer> => get(`http://127.0.0.1:${port}${path}`, { method });
  return {
    at,
    clock,
    debug,
    /** The status of everything that a client might ask for. */
    async statuses(): Promise<readonly number[]> {
      const answers = ['/', '/v2/', '/v2/_catalog'].map((path) => get(`${at.origin}${path}`));
      return (await Promise.all(answers)).map(({ status }) => status);
    },
    /** Lets the checks be made until one finds what is no longer as it was. */
    changed: (isWell: boolean) =>
      overTime(
        clock,
        at.until('health.changed', ({ well: found }) => found === isWell),
        1_000,
      ),
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  };
}

const well = [200, 200, 200];
const unwell = [503, 503, 503];

describe('a health check', () => {
  test('of a file takes the server out of service while the file is there', async () => {
    await using directory = await TempDir.make();
    const file = directory.join('maintenance');
    await using on = await scene({ file: [{ file, interval: '10s' }] });
    assert.deepEqual(await on.statuses(), well);
    assert.deepEqual(
      [(await on.debug('/debug/health')).body.toString().trim(), (await on.debug('/readyz')).status],
      ['{}', 200],
    );
    await writeFile(file, '');
    await on.changed(false);
    assert.deepEqual(await on.statuses(), unwell);
    const refused = await get(`${on.at.origin}/v2/`);
    assert.match(refused.body.toString(), /"UNAVAILABLE".*see \/debug\/health/);
    const told = await on.debug('/debug/health');
    assert.deepEqual([told.status, JSON.parse(told.body.toString())], [503, { [file]: 'file exists' }]);
    assert.equal((await on.debug('/readyz')).status, 503);
    assert.match((await on.debug('/metrics')).body.toString(), /./);
    await rm(file);
    await on.changed(true);
    assert.deepEqual(await on.statuses(), well);
  });

  test('of another server fails after so many wrong answers in a row', async () => {
    let status = 500;
    const asked: string[] = [];
    const server = createServer(({ method, headers }, outgoing) => {
      asked.push(`${method} ${String(headers['x-check'])}`);
      outgoing.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using _ = { [Symbol.asyncDispose]: async () => void server.close() };
    const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const check = {
      uri,
      statuscode: 204,
      threshold: 3,
      interval: '10s',
      timeout: '1h',
      headers: { 'X-Check': ['yes'] },
    };
    await using on = await scene({ http: [check] });
    for (const times of [1, 2, 3]) {
      assert.deepEqual(await on.statuses(), well);
      await until(on.clock, () => asked.length >= times, 1_000);
    }
    await on.at.until('health.changed');
    assert.deepEqual(JSON.parse((await on.debug('/debug/health')).body.toString()), { [uri]: 'it answered 500' });
    assert.deepEqual(await on.statuses(), unwell);
    assert.equal(asked[0], 'HEAD yes');
    status = 204;
    await on.changed(true);
    assert.deepEqual(await on.statuses(), well);
    server.closeAllConnections();
  });

  test('of a port fails while nobody listens there', async () => {
    const port = await freePort();
    await using on = await scene({ tcp: [{ addr: `127.0.0.1:${port}`, interval: '10s' }] });
    await on.at.until('health.changed');
    assert.deepEqual(await on.statuses(), unwell);
    const server = createServer().listen(port, '127.0.0.1');
    await using _ = { [Symbol.asyncDispose]: async () => void server.close() };
    await new Promise<void>((resolve) => server.once('listening', resolve));
    await on.changed(true);
    assert.deepEqual(await on.statuses(), well);
  });

  test('of the storage is well while the storage answers', async () => {
    await using on = await scene({ storagedriver: { enabled: true, interval: '1s', threshold: 3 } });
    // Together less than a check may take: the disk is not hurried by this clock.
    for (let times = 0; times < 4; times += 1) {
      await on.clock.pending(1);
      await on.clock.advance(1_000);
    }
    assert.deepEqual(await on.statuses(), well);
    assert.deepEqual(on.at.told('health.changed'), []);
  });

  test('that is made to fail by hand fails until it is declared well', async () => {
    await using on = await scene({});
    assert.equal((await on.debug('/debug/health/down')).status, 404);
    assert.equal((await on.debug('/debug/health/down', 'POST')).status, 200);
    assert.deepEqual(await on.statuses(), unwell);
    const told = (await on.debug('/debug/health')).body.toString();
    assert.deepEqual(JSON.parse(told), { manual_http_status: 'manual Check' });
    assert.equal((await on.debug('/debug/health/up', 'POST')).status, 200);
    assert.deepEqual(await on.statuses(), well);
  });

  test('of a new configuration counts from then on, and one that it leaves out no more', async () => {
    await using directory = await TempDir.make();
    const file = directory.join('there');
    await writeFile(file, '');
    await using on = await scene({});
    await on.at.configure({ health: { file: [{ file }] } });
    await on.at.until('health.changed');
    assert.deepEqual(await on.statuses(), unwell);
    await on.at.configure({});
    assert.deepEqual(await on.statuses(), well);
  });
});
