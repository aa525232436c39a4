import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { silent } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import type { Upstream, UpstreamRepository } from '../upstream/contract.ts';
import { Visibilities } from './visibilities.ts';

const key = { upstream: 'quay.example', name: parseRepositoryName('team/app') };
const digest = digestOf('layer');
const wanted = { object: 'manifest', reference: digest } as const;
const minute = 60_000;
const hour = 60 * minute;

/** A repository that anybody could read when it was looked at, just now, and how its registry answers from then on. */
async function scene(says: 'yes' | 'no' | 'nothing there' | 'nothing' = 'yes', hasCredentials = true) {
  await using opening = new AsyncDisposableStack();
  const index = opening.use(await openSqliteIndex({ path: ':memory:' }));
  const clock = new FakeClock();
  const asked: string[] = [];
  const answer = async <T>(what: string, yes: T): Promise<T | undefined> => {
    asked.push(what);
    if (says === 'nothing') throw new RegistryError('UPSTREAM_UNREACHABLE', 'away', { origin: 'upstream' });
    if (says === 'no' || what === 'tags') throw new RegistryError('UPSTREAM_DENIED', 'not for you');
    return says === 'yes' ? yes : undefined;
  };
  const repository: Partial<UpstreamRepository> = {
    resolve: () =>
      answer('manifest', { descriptor: { digest, size: 1, mediaType: mediaTypes.ociManifest }, manifest: undefined }),
    blobSize: () => answer('blob', 1),
    tags: () => answer('tags', { items: [], next: undefined }),
  };
  const upstream = { hasCredentials, repository: () => repository } as Partial<Upstream> as Upstream;
  const upstreams = { find: () => upstream, list: () => [upstream], close: async () => {} };
  await index.repositories.setVisibility(key, { public: true, checkedAtMs: clock.now() });
  const scope = opening.move();
  return {
    clock,
    asked,
    visibilities: new Visibilities({ index, upstreams, clock, observer: silent }),
    isPublic: async (): Promise<boolean | undefined> => (await index.repositories.visibility(key))?.public,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

test('what our credentials have got is public only if its repository was within a minute, or is', async () => {
  for (const [says, isPublic] of [
    ['yes', true],
    ['no', false],
    ['nothing there', false],
  ] as const) {
    await using at = await scene(says);
    assert.equal(await at.visibilities.witness(key, 'own', digest), true);
    assert.deepEqual(at.asked, []);
    await at.clock.advance(minute);
    assert.equal(await at.visibilities.witness(key, 'own', digest), true);
    assert.equal(at.asked[0], 'manifest');
    assert.equal(await at.isPublic(), isPublic, says);
  }
});

test('what came while nobody could be asked is as public as its repository was within the hour', async () => {
  await using at = await scene('nothing');
  await at.clock.advance(59 * minute);
  assert.equal(await at.visibilities.witness(key, 'own', digest), true);
  await at.clock.advance(minute);
  assert.equal(await at.visibilities.witness(key, 'own', digest), false);
  assert.equal(await at.isPublic(), true, 'what is held stays what it was');
  await assert.rejects(at.visibilities.recheck(key, wanted, { public: true, checkedAtMs: 0 }, true));
});

test('nobody is asked about what comes without credentials, or with a client’s', async () => {
  await using open = await scene('no', false);
  await open.clock.advance(3 * hour);
  assert.equal(await open.visibilities.witness(key, 'own', digest), true);
  assert.equal(await open.visibilities.isPublic(digest, [key]), true);
  assert.deepEqual(open.asked, []);
  await using at = await scene('no');
  await at.clock.advance(3 * hour);
  assert.equal(await at.visibilities.witness(key, { id: 'alice', authorization: undefined }, digest), true);
  assert.deepEqual(at.asked, []);
});

test('a blob is public where its repository was within the hour, or is, or was when its registry went away', async () => {
  for (const [says, isPublic] of [
    ['yes', true],
    ['no', false],
    ['nothing', true],
  ] as const) {
    await using at = await scene(says);
    assert.equal(await at.visibilities.isPublic(digest, [key]), true);
    await at.clock.advance(59 * minute);
    assert.equal(await at.visibilities.isPublic(digest, [key]), true);
    assert.deepEqual(at.asked, []);
    await at.clock.advance(minute);
    assert.equal(await at.visibilities.isPublic(digest, [key]), isPublic, says);
    assert.deepEqual(at.asked, ['blob']);
  }
});

test('of many repositories that have a blob a few are asked about again', async () => {
  await using at = await scene('no');
  await at.clock.advance(2 * hour);
  assert.equal(
    await at.visibilities.isPublic(
      digest,
      Array.from({ length: 20 }, () => key),
    ),
    false,
  );
  assert.ok(at.asked.length <= 3, at.asked.join());
});
