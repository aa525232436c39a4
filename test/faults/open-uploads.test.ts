/**
 * Whoever may push can begin uploads without end, and leave them.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { get, keepAlive, together } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { digestOf, makeImage } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { push, receivedBytes, startUpload, withDigest } from '../support/push.ts';
import { becomes } from './world.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Begun, and left like that; and some that something has come for. */
const bare = 2_000;
const fed = 100;
const clients = 20;
/** Longer than an upload may rest. */
const longMs = 8 * 86_400_000;
const image = makeImage({ seed: 'beside open uploads', layers: [5_000] });

describe('uploads that nobody ends', () => {
  test('by the thousand take no memory and no descriptor, hold up nobody, can be gone on with, and expire', async () => {
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock });
    const url = `${entrepot.origin}/v2/local/app`;
    const ingests = join(entrepot.storeDirectory, 'entrepot/ingest');
    await begin(entrepot, url, clients, true);
    const before = await held();
    const [left = ''] = await begin(entrepot, url, bare, false);
    const [oldest = '', ...others] = await begin(entrepot, url, fed, true);
    const after = await held();
    assert.equal((await readdir(ingests)).length, clients + fed);
    assert.ok(after.mebibytes - before.mebibytes < 16, `${after.mebibytes - before.mebibytes} MiB for them`);
    // Connections that the clients have left are closed a little later on the server's side.
    await becomes(true, async () => (await descriptors()) < before.descriptors + 10);

    await push(entrepot.origin, 'local/app', '1', image);
    await pull(entrepot.origin, 'local/app', '1');
    for (const location of [oldest, others.at(-1) ?? '']) await assertGoesOn(location);

    await clock.advance(longMs);
    await entrepot.restart();
    assert.equal(entrepot.told('upload.expired').length, clients + bare + fed - 2);
    assert.deepEqual(await readdir(ingests), []);
    assert.equal((await get(`${entrepot.origin}${new URL(left).pathname}`)).status, 404);
    await push(entrepot.origin, 'local/app', '2', makeImage({ seed: 'after them', layers: [5_000] }));
    await pull(entrepot.origin, 'local/app', '1');
  });
});

/** What was told of them is the test's memory, not the server's. */
async function begin(entrepot: Entrepot, url: string, count: number, feed: boolean): Promise<readonly string[]> {
  using agent = keepAlive();
  const locations: string[] = [];
  await together(clients, async () => {
    for (let each = 0; each < count / clients; each += 1) {
      const location = await startUpload(url, { agent });
      if (feed) assert.equal((await get(location, { method: 'PATCH', agent, body: 'xx' })).status, 202);
      locations.push(location);
    }
  });
  entrepot.events.length = 0;
  return locations;
}

async function held(): Promise<{ readonly mebibytes: number; readonly descriptors: number }> {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return { mebibytes: (heapUsed + external) / 1024 ** 2, descriptors: await descriptors() };
}

async function descriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

async function assertGoesOn(location: string): Promise<void> {
  assert.equal(await receivedBytes(location), 2);
  const answer = await get(withDigest(location, digestOf([Buffer.from('xxy')])), { method: 'PUT', body: 'y' });
  assert.equal(answer.status, 201, answer.body.toString());
}
