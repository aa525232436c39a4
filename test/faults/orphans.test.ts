/**
 * Content that nobody owns, as a kill leaves it between the store and the index, or whoever deletes links: the next start
 * finds it, and it is gone once the time of grace has passed since. Whoever brings it in meanwhile wins.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { CollectLine } from '../../src/admin/views.ts';
import type { Collected } from '../../src/index/contract.ts';
import { SqliteBlobs } from '../../src/index/sqlite/blobs.ts';
import { SqliteCollection } from '../../src/index/sqlite/collection.ts';
import { SqliteHosted } from '../../src/index/sqlite/hosted.ts';
import { makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import type { EntrepotOptions } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { push, pushBlob } from '../support/push.ts';
import { RegistryVolume } from '../support/registry-volume.ts';
import { TempDir } from '../support/temp-dir.ts';
import { pause } from './pause.ts';
import { startBeside } from './shared-store.ts';
import { overTime } from '../support/over-time.ts';
import { assertWhole, becomes, keptIn, World } from './world.ts';

const hour = 3_600_000;
const blob = makeBlob(40_000, 'nobody’s');
const config = { collect: { every: 'forever', grace: '1h' } };

interface Scene extends AsyncDisposable {
  readonly entrepot: Entrepot;
  readonly clock: FakeClock;
  readonly url: string;
}

async function scene(options: EntrepotOptions = {}): Promise<Scene> {
  const clock = new FakeClock();
  const entrepot = await Entrepot.start({ clock, config, ...options });
  await looked(entrepot, 1);
  const end = (): Promise<void> => entrepot[Symbol.asyncDispose]();
  return { entrepot, clock, url: `${entrepot.origin}/v2/app`, [Symbol.asyncDispose]: end };
}

/** The volume was looked through. */
const looked = (entrepot: Entrepot, starts: number): Promise<void> =>
  entrepot.until('adoption.progress', ({ state }) => state === 'done', starts);

async function gc(entrepot: Entrepot, clock: FakeClock): Promise<CollectLine> {
  const { body } = await overTime(clock, entrepot.admin('POST /v1/gc'), 20);
  return JSON.parse(body.toString().trim().split('\n').at(-1) ?? '') as CollectLine;
}

async function freedBytes(entrepot: Entrepot, clock: FakeClock): Promise<number> {
  const done = await gc(entrepot, clock);
  assert.ok(done.type === 'done', JSON.stringify(done));
  return done.freedBytes;
}

/** A push whose process ends when its file is in its place, and the index has not heard of it. */
async function endBeforeIndexed(t: TestContext, { entrepot, url }: Scene): Promise<void> {
  const broken = t.mock.method(SqliteHosted.prototype, 'addBlob', () => Promise.reject(new Error('killed')));
  await assert.rejects(pushBlob(url, blob));
  broken.mock.restore();
  assert.deepEqual(await keptIn(entrepot.storeDirectory), [blob.digest]);
  await entrepot.restart();
  await looked(entrepot, 2);
}

/** Holds a collection up between the index and the store. */
function chosen(t: TestContext) {
  return pause(t, SqliteCollection.prototype, 'collect', 'after', (collected) => {
    return (collected as Collected).blobs.length > 0;
  });
}

describe('content that nobody owns', () => {
  test('because a push was killed before the index knew, is gone when the time of grace has passed since it was found', async (t) => {
    await using at = await scene();
    await endBeforeIndexed(t, at);
    await at.clock.advance(hour);
    assert.equal(await freedBytes(at.entrepot, at.clock), 0);
    assert.deepEqual(await keptIn(at.entrepot.storeDirectory), [blob.digest]);
    await at.clock.advance(hour);
    assert.equal(await freedBytes(at.entrepot, at.clock), blob.size);
    assert.deepEqual(await keptIn(at.entrepot.storeDirectory), []);
  });

  test('and is pushed again, stays: before it is collected, and between index and store', async (t) => {
    await using at = await scene();
    await endBeforeIndexed(t, at);
    await at.clock.advance(3 * hour);
    const held = chosen(t);
    const collecting = freedBytes(at.entrepot, at.clock);
    await held.reached;
    const url = `${at.entrepot.origin}/v2/app`;
    await pushBlob(url, blob);
    held.goOn();
    assert.equal(await collecting, 0);
    assert.equal((await get(`${url}/blobs/${blob.digest}`)).body.length, blob.size);
    await at.clock.advance(hour / 2);
    assert.equal(await freedBytes(at.entrepot, at.clock), 0, 'it is as young as any other push');
  });

  test('is found by no other process while the push goes on, and then belongs to it', async (t) => {
    await using at = await scene();
    const pushed = pause(t, SqliteHosted.prototype, 'addBlob', 'before');
    const pushing = pushBlob(at.url, blob);
    await pushed.reached;
    await using other = await beside(at);
    assert.equal(await freedBytes(other, at.clock), 0);
    pushed.goOn();
    await pushing;
    assert.equal((await get(`${other.origin}/v2/app/blobs/${blob.digest}`)).body.length, blob.size);
  });

  test('and is collected by one process while another pushes an image with it, is not lost', async (t) => {
    await using at = await scene();
    await endBeforeIndexed(t, at);
    await at.clock.advance(3 * hour);
    await using other = await beside(at);
    const held = chosen(t);
    const collecting = freedBytes(other, at.clock);
    await held.reached;
    const image = makeImage({ layers: [blob] });
    await push(at.entrepot.origin, 'app', 'latest', image);
    held.goOn();
    await collecting;
    await at.clock.advance(3 * hour);
    assert.equal(await freedBytes(other, at.clock), 0);
    for (const { origin } of [at.entrepot, other]) {
      for (const { digest, size } of image.blobs) {
        assert.equal((await get(`${origin}/v2/app/blobs/${digest}`)).body.length, size);
      }
    }
  });

  test('because a download was killed before the index knew, is used by whoever asks for it, or gone in time', async (t) => {
    const clock = new FakeClock();
    await using world = await World.start({ clock, config });
    const { entrepot } = world;
    await looked(entrepot, 1);
    const again = makeBlob(50_000, 'asked for again');
    world.upstream.publishBlob('library/redis', again);
    const broken = t.mock.method(SqliteBlobs.prototype, 'store', () => Promise.reject(new Error('killed')));
    for (const { digest } of [world.blob, again]) await get(`${entrepot.origin}/v2/library/redis/blobs/${digest}`);
    await becomes(2, async () => (await keptIn(entrepot.storeDirectory)).length);
    // A file is in its place before the index is to be told of it.
    await becomes(2, async () => new Set(broken.mock.calls.map((call) => call.arguments[0])).size);
    broken.mock.restore();
    await entrepot.restart();
    await looked(entrepot, 2);
    world.upstream.reset();
    const answer = await overTime(clock, get(`${entrepot.origin}/v2/library/redis/blobs/${again.digest}`));
    assert.equal(answer.body.length, again.size);
    assert.equal(world.upstream.blobBytes(again.digest).sent, 0, 'a HEAD was enough');
    await clock.advance(3 * hour);
    assert.equal(await freedBytes(entrepot, clock), world.blob.size);
    assert.deepEqual(await keptIn(entrepot.storeDirectory), [again.digest]);
    assertWhole(await overTime(clock, world.drain()), world.blob);
  });

  test('because registry:2 left it, is gone in time as well; nothing is while a repository was not taken in', async () => {
    await using dir = await TempDir.make();
    const volume = new RegistryVolume(dir.join('registry'));
    const image = makeImage({ seed: 'adopted', layers: [600] });
    await volume.push('app', 'latest', image);
    await volume.push('team/app', 'latest', makeImage({ seed: 'not declared', layers: [700] }));
    await volume.blob(blob);
    const all = await keptIn(volume.root);
    {
      await using at = await scene({ directory: dir.path });
      await at.clock.advance(3 * hour);
      const refused = await gc(at.entrepot, at.clock);
      assert.ok(refused.type === 'failed');
      assert.match(refused.message, /^team\/app in the volume was not taken in/);
      assert.deepEqual(await keptIn(volume.root), all);
    }
    const hosted = { names: ['app', 'team/**'] };
    await using at = await scene({ directory: dir.path, config: { ...config, hosted } });
    await at.clock.advance(3 * hour);
    assert.equal(await freedBytes(at.entrepot, at.clock), blob.size);
    assert.deepEqual(
      await keptIn(volume.root),
      all.filter((digest) => digest !== blob.digest),
    );
  });
});

/** Another server over the same store and index, which has looked through the volume. */
async function beside({ entrepot, clock }: Scene): Promise<Entrepot> {
  const other = await startBeside(entrepot, { clock, config });
  await looked(other, 1);
  return other;
}
