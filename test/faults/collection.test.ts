/**
 * Collection against everything that races it: whoever pushes, mounts, asks or pulls always wins.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectLine } from '../../src/admin/views.ts';
import { SqliteCollection } from '../../src/index/sqlite/collection.ts';
import { makeBlob } from '../support/blobs.ts';
import { get, open, together } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { overTime } from '../support/over-time.ts';
import { push, pushAsDockerd, pushBlob } from '../support/push.ts';
import { pull } from '../support/pull.ts';
import { pause } from './pause.ts';
import { keptIn } from './world.ts';

/** Of pushes while it collects all the time; there is time for them in `npm run collection`. */
const rounds = Number(process.env['COLLECTION_ROUNDS'] ?? 0);
const long = { skip: rounds === 0 ? 'npm run collection' : false };
/** More than the time of grace. In milliseconds. */
const longAgo = 2 * 60 * 60 * 1000;
const blob = makeBlob(400_000, 'raced');

interface Scene extends AsyncDisposable {
  readonly entrepot: Entrepot;
  readonly clock: FakeClock;
  readonly url: string;
}

async function scene(): Promise<Scene> {
  const clock = new FakeClock();
  const entrepot = await Entrepot.start({ clock, config: { collect: { every: 'forever', grace: '1h' } } });
  await adopted(entrepot, 1);
  const end = (): Promise<void> => entrepot[Symbol.asyncDispose]();
  return { entrepot, clock, url: `${entrepot.origin}/v2/app`, [Symbol.asyncDispose]: end };
}

/** Before that nothing is collected. */
const adopted = (entrepot: Entrepot, starts: number): Promise<void> =>
  entrepot.until('adoption.progress', ({ state }) => state === 'done', starts);

async function gc({ entrepot }: Scene) {
  const { body } = await entrepot.admin('POST /v1/gc');
  const done: CollectLine = JSON.parse(body.toString().trim().split('\n').at(-1) ?? '');
  assert.ok(done.type === 'done', body.toString());
  return done;
}

describe('a blob that was chosen to go', () => {
  test('and is pushed before its file is deleted, keeps it (nora#584)', async (t) => {
    await using at = await scene();
    await pushBlob(at.url, blob);
    await at.clock.advance(longAgo);
    const chosen = pause(t, SqliteCollection.prototype, 'collect', 'after');
    const collecting = gc(at);
    await chosen.reached;
    assert.equal((await get(`${at.url}/blobs/${blob.digest}`, { method: 'HEAD' })).status, 404, 'nobody relies on it');
    await pushBlob(at.url, blob);
    chosen.goOn();
    assert.equal((await collecting).freedBytes, 0);
    assert.deepEqual((await get(`${at.url}/blobs/${blob.digest}`)).body.length, blob.size);
  });

  test('and is pushed while its file is being deleted, is stored anew', async (t) => {
    await using at = await scene();
    await pushBlob(at.url, blob);
    await at.clock.advance(longAgo);
    const deleting = pause(t, SqliteCollection.prototype, 'mayDiscard', 'after');
    const collecting = gc(at);
    await deleting.reached;
    const pushing = pushBlob(at.url, blob);
    // It waits for the file to be gone.
    await at.clock.pending(1);
    deleting.goOn();
    assert.equal((await collecting).freedBytes, blob.size);
    await overTime(at.clock, pushing, 20);
    assert.deepEqual((await get(`${at.url}/blobs/${blob.digest}`)).body.length, blob.size);
  });

  test('and is being read, is read to its end', async () => {
    await using at = await scene();
    const big = makeBlob(12 * 1024 * 1024, 'read slowly');
    await pushBlob(at.url, big);
    using reading = await open(`${at.url}/blobs/${big.digest}`);
    let bytes = (await reading.read(1000)).length;
    assert.equal((await get(`${at.url}/blobs/${big.digest}`, { method: 'DELETE' })).status, 202);
    assert.equal((await gc(at)).freedBytes, big.size);
    assert.deepEqual(await keptIn(at.entrepot.storeDirectory), []);
    for (let piece = await reading.read(1 << 20); piece.length > 0; piece = await reading.read(1 << 20)) {
      bytes += piece.length;
    }
    assert.equal(bytes, big.size);
  });
});

describe('collecting', () => {
  test('without a pause fails none of many pushes of what was just deleted (quay PR#6318)', long, async () => {
    await using at = await scene();
    const shared = Array.from({ length: 6 }, (_, nth) => makeBlob(500 + nth, `shared ${nth}`));
    const images = Array.from({ length: 4 }, (_, nth) =>
      makeImage({ seed: nth, layers: shared.filter((_layer, position) => (nth + position) % 3 > 0) }),
    );
    for (let round = 0; round < rounds; round += 1) {
      const state = { pushing: true };
      const collecting = (async () => {
        while (state.pushing) {
          await gc(at);
          // For two that push the same blob: the one waits a moment for the other.
          await at.clock.advance(20);
          // A collection ends within a turn or two; whoever pushes needs some as well.
          await delay(1);
        }
      })();
      const each = round % 2 === 0 ? push : pushAsDockerd;
      try {
        await together(2, async (lane) => {
          for (const nth of [lane, lane + 2]) {
            const image = images[nth];
            if (image === undefined) continue;
            await each(at.entrepot.origin, `local/app-${lane}`, `v${nth}`, image);
            await pull(at.entrepot.origin, `local/app-${lane}`, `v${nth}`);
          }
        });
      } finally {
        state.pushing = false;
        await collecting;
      }
      for (const [nth, { digest }] of images.entries()) {
        const url = `${at.entrepot.origin}/v2/local/app-${nth % 2}/manifests/${digest}`;
        assert.equal((await get(url, { method: 'DELETE' })).status, 202);
      }
      await at.clock.advance(longAgo);
    }
    await gc(at);
    await gc(at);
    const blobs = new Set(images.flatMap((image) => image.blobs.map(({ digest }) => digest)));
    assert.deepEqual(
      (await keptIn(at.entrepot.storeDirectory)).filter((digest) => blobs.has(digest)),
      [],
    );
  });

  test('goes on after a disk that would not delete', async (t) => {
    await using at = await scene();
    await pushBlob(at.url, blob);
    await at.clock.advance(longAgo);
    const broken = t.mock.method(SqliteCollection.prototype, 'mayDiscard', () =>
      Promise.reject(new Error('the test says so')),
    );
    const { body } = await at.entrepot.admin('POST /v1/gc');
    assert.match(body.toString(), /failed.*the test says so/);
    broken.mock.restore();
    await at.entrepot.restart();
    await adopted(at.entrepot, 2);
    assert.equal((await keptIn(at.entrepot.storeDirectory)).length, 1);
    const done = await gc(at);
    assert.deepEqual([done.blobs, done.freedBytes], [0, blob.size], 'it had left the index before');
    assert.deepEqual(await keptIn(at.entrepot.storeDirectory), []);
  });
});
