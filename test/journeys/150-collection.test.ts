/**
 * What nobody needs any more goes by itself, while everything is being served; what somebody may still need stays.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CollectLine } from '../../src/admin/views.ts';
import { makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images.ts';
import type { Manifest } from '../support/images.ts';
import { push, pushBlob, putManifest } from '../support/push.ts';
import { pull } from '../support/pull.ts';
import { keptIn } from '../faults/world.ts';
import { overTime } from '../support/over-time.ts';

const minute = 60_000;
const hour = 60 * minute;
const image = makeImage({ seed: 'collected', layers: [3_000, 200] });
const other = makeImage({ seed: 'stays', layers: [1_000] });
const both = makeIndex([image, other]);
const next = makeImage({ seed: 'next' });
const signature = makeArtifact({ subject: both });
const manifests = new Set([image, other, both, next, signature].map(({ digest }) => digest));

interface Scene extends AsyncDisposable {
  readonly entrepot: Entrepot;
  readonly clock: FakeClock;
  readonly url: string;
}

/** Operators collect; it comes by itself only where a test asks for that. */
async function scene(collect: Readonly<Record<string, unknown>> = { every: 'forever', grace: '2h' }): Promise<Scene> {
  const clock = new FakeClock();
  const entrepot = await Entrepot.start({ clock, config: { collect } });
  await adopted(entrepot, 1);
  const end = (): Promise<void> => entrepot[Symbol.asyncDispose]();
  return { entrepot, clock, url: `${entrepot.origin}/v2/app`, [Symbol.asyncDispose]: end };
}

/** Before that nothing is collected. */
const adopted = (entrepot: Entrepot, starts: number): Promise<void> =>
  entrepot.until('adoption.progress', ({ state }) => state === 'done', starts);

async function gc({ entrepot }: Scene, dryRun = false, untagged = false) {
  const query = { dryrun: String(dryRun), untagged: String(untagged) };
  const answer = await entrepot.admin('POST /v1/gc', query);
  const lines = answer.body
    .toString()
    .trim()
    .split('\n')
    .map((line): CollectLine => JSON.parse(line));
  const done = lines.at(-1);
  assert.ok(done?.type === 'done', answer.body.toString());
  return done;
}

/** What is no manifest in the store. */
const blobsIn = async ({ entrepot }: Scene): Promise<readonly string[]> =>
  (await keptIn(entrepot.storeDirectory)).filter((digest) => !manifests.has(digest)).toSorted();

const remove = async (url: string, digest: string): Promise<void> =>
  assert.equal((await get(`${url}/manifests/${digest}`, { method: 'DELETE' })).status, 202);

const digestsOf = (...images: readonly Manifest[]): readonly string[] =>
  [...new Set(images.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)))].toSorted();

const sizeOf = ({ blobs }: Manifest): number => blobs.reduce((sum, { size }) => sum + size, 0);

describe('what was deleted', () => {
  test('is gone for clients at once, and from the disk after the time of grace', async () => {
    await using at = await scene();
    await push(at.entrepot.origin, 'app', '1', image);
    await push(at.entrepot.origin, 'app', '2', other);
    await remove(at.url, image.digest);
    assert.equal((await get(`${at.url}/manifests/1`)).status, 404);
    assert.deepEqual(await gc(at), { type: 'done', dryRun: false, manifests: 0, blobs: 0, freedBytes: 0, waiting: 3 });
    assert.deepEqual(await blobsIn(at), digestsOf(image, other));
    await at.clock.advance(2 * hour + 2 * minute);
    const all = { type: 'done', manifests: 0, blobs: 3, freedBytes: sizeOf(image), waiting: 0 };
    assert.deepEqual(await gc(at, true), { ...all, dryRun: true });
    assert.deepEqual(await blobsIn(at), digestsOf(image, other));
    assert.deepEqual(await gc(at), { ...all, dryRun: false });
    assert.deepEqual(await blobsIn(at), digestsOf(other));
    assert.deepEqual(await gc(at), { ...all, dryRun: false, blobs: 0, freedBytes: 0 });
    await pull(at.entrepot.origin, 'app', '2');
  });

  test('can be pushed and pulled again (distribution#3254)', async () => {
    await using at = await scene();
    for (let round = 0; round < 3; round += 1) {
      await push(at.entrepot.origin, 'app', '1', image);
      await pull(at.entrepot.origin, 'app', '1');
      await remove(at.url, image.digest);
      await at.clock.advance(3 * hour);
      assert.equal((await gc(at)).blobs, 3);
      for (const { digest } of image.blobs) {
        assert.equal((await get(`${at.url}/blobs/${digest}`, { method: 'HEAD' })).status, 404);
      }
    }
  });

  test('goes by itself, which the log and the metrics tell', async () => {
    await using at = await scene({ every: '1h', grace: '2h' });
    await push(at.entrepot.origin, 'app', '1', image);
    await remove(at.url, image.digest);
    const done = at.entrepot.until('collect.ended', ({ blobs }) => blobs === 3);
    await overTime(at.clock, done, 10 * minute);
    assert.deepEqual(await blobsIn(at), []);
  });

  test('from one of two repositories that have it stays for the other', async () => {
    await using at = await scene();
    await push(at.entrepot.origin, 'app', '1', image);
    const mount = `${at.entrepot.origin}/v2/local/other/blobs/uploads/`;
    for (const { digest } of image.blobs) {
      assert.equal((await get(`${mount}?mount=${digest}&from=app`, { method: 'POST' })).status, 201);
    }
    await putManifest(`${at.entrepot.origin}/v2/local/other`, '1', image);
    await remove(at.url, image.digest);
    await at.clock.advance(3 * hour);
    assert.equal((await gc(at)).blobs, 0);
    await pull(at.entrepot.origin, 'local/other', '1');
    assert.equal((await get(`${at.url}/blobs/${image.config.digest}`)).status, 404, 'it is no longer this one’s');
  });

  test('as a blob that no manifest ever referred to needs no grace', async () => {
    await using at = await scene();
    const blob = makeBlob(500, 'alone');
    await pushBlob(at.url, blob);
    assert.equal((await get(`${at.url}/blobs/${blob.digest}`, { method: 'DELETE' })).status, 202);
    assert.equal((await gc(at)).freedBytes, 500);
    assert.deepEqual(await blobsIn(at), []);
  });
});

describe('what is still needed stays', () => {
  test('a manifest that was put, tagged or not, and what an index lists (distribution#3178)', async () => {
    await using at = await scene();
    await push(at.entrepot.origin, 'app', 'multi', both);
    await push(at.entrepot.origin, 'app', '1', makeImage({ seed: 'untagged soon' }));
    const untagged = (await pull(at.entrepot.origin, 'app', '1')).digest;
    await push(at.entrepot.origin, 'app', '1', makeImage({ seed: 'tagged now' }));
    await at.clock.advance(10 * hour);
    assert.equal((await gc(at)).blobs, 0);
    for (const reference of ['multi', '1', untagged]) await pull(at.entrepot.origin, 'app', reference);
  });

  test('a blob of which somebody heard a moment ago that it is there', async () => {
    await using at = await scene();
    const blob = makeBlob(500, 'heard of');
    await pushBlob(at.url, blob);
    for (const method of ['HEAD', 'GET']) {
      await at.clock.advance(2 * hour);
      assert.equal((await get(`${at.url}/blobs/${blob.digest}`, { method })).status, 200);
      await at.clock.advance(2 * minute);
      assert.equal((await gc(at)).blobs, 0, method);
    }
    await at.clock.advance(3 * hour);
    assert.equal((await gc(at)).blobs, 1);
  });

  test('blobs whose manifest is still to come, since the next one is just being pushed', async () => {
    await using at = await scene();
    const [first, second] = [makeBlob(500, 'first'), makeBlob(500, 'second')];
    await pushBlob(at.url, first);
    await at.clock.advance(3 * hour);
    const started = await get(`${at.url}/blobs/uploads/`, { method: 'POST' });
    assert.equal((await gc(at)).blobs, 0);
    assert.equal((await gc(at, true)).blobs, 0);
    await get(new URL(started.headers.location ?? '', at.url).href, { method: 'DELETE' });
    assert.equal((await gc(at)).blobs, 1);
    await pushBlob(at.url, second);
  });

  test('whatever it is, while nothing is to change, unless an operator collects just then', async () => {
    await using at = await scene({ every: '1h', grace: '1h' });
    await pushBlob(at.url, makeBlob(500, 'kept'));
    await at.entrepot.configure({ collect: { every: '1h', grace: '1h' }, storage: { ...storage(at), maintenance } });
    for (let hours = 0; hours < 10; hours += 1) await at.clock.advance(hour);
    assert.deepEqual(at.entrepot.told('collect.ended'), []);
    assert.equal((await blobsIn(at)).length, 1);
    assert.equal((await gc(at)).blobs, 1);
  });

  test('an untagged manifest while somebody asks for it, where others go, with what is signed and listed', async () => {
    await using at = await scene({ every: 'forever', untagged: '5h', grace: '1h' });
    const [first, second] = [both, next];
    await push(at.entrepot.origin, 'app', '1', first);
    await push(at.entrepot.origin, 'app', signature.digest, signature);
    await at.clock.advance(10 * hour);
    assert.equal((await gc(at)).manifests, 0, 'the tag leads to all of it');
    await push(at.entrepot.origin, 'app', '1', second);
    for (let asked = 0; asked < 3; asked += 1) {
      await at.clock.advance(4 * hour);
      await get(`${at.url}/manifests/${first.digest}`, { method: 'HEAD' });
      assert.equal((await gc(at)).manifests, 0, 'somebody has asked for it');
    }
    await at.clock.advance(6 * hour);
    const announced = await gc(at, true);
    assert.equal(announced.manifests, 4);
    assert.deepEqual(await gc(at), { ...announced, dryRun: false });
    await pull(at.entrepot.origin, 'app', '1');
    assert.equal((await get(`${at.url}/manifests/${first.digest}`)).status, 404);
    assert.deepEqual(await blobsIn(at), digestsOf(second));
  });

  test('a tagged manifest, when an operator lets all others go', async () => {
    await using at = await scene();
    await push(at.entrepot.origin, 'app', '1', image);
    await push(at.entrepot.origin, 'app', '1', other);
    assert.equal((await gc(at, false, true)).manifests, 1);
    assert.equal((await get(`${at.url}/manifests/${image.digest}`)).status, 404);
    await pull(at.entrepot.origin, 'app', '1');
  });
});

const maintenance = { readonly: { enabled: true } };
const storage = ({ entrepot }: Scene) => ({ filesystem: { rootdirectory: entrepot.storeDirectory } });
