import assert from 'node:assert/strict';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { literalBlob, makeBlob } from '../../test/support/blobs.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeImage } from '../../test/support/images.ts';
import { dataOf, pathOf, repositories } from '../../test/support/registry-volume.ts';
import type { Collected } from '../index/contract.ts';
import { settlingKeyOf } from '../index/settling.ts';
import { parseDigest } from '../oci/digest.ts';
import { parseRepositoryName, parseTag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { assertHeld, docker, hosted, image, list, scene, tagsOf, troubles } from './testing.ts';

describe('a volume of registry:2', () => {
  test('is taken in where it lies: repositories, manifests, tags, blobs, and no file is touched', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.volume.push('team/nested/list', '1', list);
    await at.volume.push('team/nested', '2', docker);
    await at.volume.tag('app', 'old', image.digest);
    const before = await filesOf(at.volume.root);
    const adoption = await at.adopt();
    await assertHeld(at, hosted('app'), image);
    await assertHeld(at, hosted('team/nested/list'), list);
    assert.deepEqual(await tagsOf(at, hosted('app')), { latest: image.digest, old: image.digest });
    assert.deepEqual(await tagsOf(at, hosted('team/nested')), { 2: docker.digest });
    assert.equal(await at.index.claims.has('app'), true);
    assert.deepEqual(await at.index.outbox.pending(1), []);
    assert.deepEqual(await filesOf(at.volume.root), before);
    assert.equal(adoption.isDone, true);
    assert.deepEqual(troubles(at), []);
    assert.deepEqual(await at.index.keeping.candidates(10), [], 'nothing of it is the cache’s to evict');
  });

  test('is not read again by the next start, unless something has changed', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.volume.push('other', 'latest', docker);
    assert.equal((await at.adopt()).progress.manifests, 2);
    const again = await at.adopt();
    assert.deepEqual([again.progress.manifests, again.progress.blobs, again.progress.repositories], [0, 0, 2]);
    await at.volume.push('other', 'more', list);
    assert.equal((await at.adopt()).progress.manifests, 2, 'the list, and what it lists more');
  });

  test('that registry:2 has changed since is right where the index differs', async () => {
    await using at = await scene();
    for (const tag of ['stays', 'moves', 'goes']) await at.volume.push('app', tag, image);
    await at.volume.push('app', 'deleted', docker);
    await at.volume.push('gone', 'latest', docker);
    await at.adopt();
    const added = makeImage({ seed: 'added', layers: [40] });
    await at.volume.push('app', 'moves', added);
    await at.volume.dropTag('app', 'goes');
    await at.volume.dropManifest('app', docker.digest, ['deleted']);
    await rm(at.volume.path(`${repositories}/gone`), { recursive: true });
    await at.adopt();
    assert.deepEqual(await tagsOf(at, hosted('app')), { stays: image.digest, moves: added.digest });
    assert.equal(await at.index.manifests.find(hosted('app'), parseDigest(docker.digest)), undefined);
    assert.deepEqual(await tagsOf(at, hosted('gone')), {});
    const layer = parseDigest(docker.blobs[1]?.digest ?? '');
    assert.equal(await at.index.blobs.standing(hosted('gone'), layer), 'none');
    assert.equal(await at.index.blobs.standing(hosted('app'), layer), 'member', 'its link is still there');
    assert.deepEqual(await at.index.outbox.pending(1), []);
  });

  test('that a garbage collection of registry:2 has shrunk has no blobs that are not there', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.volume.push('app', 'deleted', docker);
    await at.adopt();
    await at.volume.dropManifest('app', docker.digest, ['deleted']);
    const dropped = [docker.digest, ...docker.blobs.map(({ digest }) => digest)];
    for (const digest of dropped) await at.volume.dropBlob(digest);
    await at.adopt();
    for (const digest of dropped) assert.equal(await at.index.blobs.stored(parseDigest(digest)), undefined);
    await assertHeld(at, hosted('app'), image);
  });

  test('is looked into for whatever is asked for before all of it is read', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    const gate = Promise.withResolvers<boolean>();
    const adoption = await at.start({ drain: () => gate.promise });
    adoption.begin();
    await adoption.look(hosted('nothing'));
    assert.deepEqual(await tagsOf(at, hosted('app')), {});
    await Promise.all([adoption.look(hosted('app')), adoption.look(hosted('app'))]);
    assert.deepEqual(await tagsOf(at, hosted('app')), { latest: image.digest });
    assert.equal(adoption.isDone, false);
    gate.resolve(true);
    await adoption.finished();
  });

  test('gains what is pushed while it is read', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', docker);
    await at.adopt();
    await at.volume.push('app', 'theirs', image);
    const parsed = await at.index.manifests.find(hosted('app'), parseDigest(docker.digest));
    assert.ok(parsed);
    let drained = 0;
    const drain = async (): Promise<boolean> => {
      drained += 1;
      return at.writer.drain();
    };
    await at.index.hosted.put(
      hosted('app'),
      { ...parsed, children: [], subject: undefined, artifactType: undefined, annotations: undefined },
      { tags: [parseTag('ours')], isImmutable: () => false, sparse: true, atMs: 1 },
    );
    const adoption = await at.start({ drain });
    adoption.begin();
    await adoption.finished();
    assert.ok(drained > 0);
    assert.deepEqual(await tagsOf(at, hosted('app')), {
      latest: docker.digest,
      theirs: image.digest,
      ours: docker.digest,
    });
  });

  test('that has lost its links altogether gets them from the index', async () => {
    await using at = await scene();
    await at.volume.push('app', 'latest', image);
    await at.adopt();
    await rm(at.volume.path(repositories), { recursive: true });
    await at.adopt();
    await at.writer.drain();
    assert.deepEqual(await tagsOf(at, hosted('app')), { latest: image.digest });
    await stat(at.volume.path(`${repositories}/app/_manifests/tags/latest/current/link`));
  });

  test('has blobs of nobody, which are known from then on, to be used or to go', async () => {
    await using at = await scene();
    const stray = makeBlob(300, 'stray');
    await at.volume.blob(stray);
    await at.volume.write(dataOf(makeBlob(10, 'empty').digest), '');
    await at.adopt();
    assert.equal(await at.index.blobs.stored(parseDigest(stray.digest)), 300);
    assert.deepEqual(
      (await at.index.keeping.candidates(10)).map(({ blob }) => blob),
      [stray.digest],
    );
  });

  test('has content that a push has not come to tell of, found although its lease still runs, unless the push does, too', async () => {
    await using at = await scene();
    const [left, coming] = [makeBlob(30, 'left'), makeBlob(40, 'coming')];
    for (const [{ digest }, holder] of [
      [left, 'killed'],
      [coming, 'alive'],
    ] as const) {
      await at.index.leases.acquire(settlingKeyOf(parseDigest(digest)), holder, 60_000, new FakeClock().now());
    }
    for (const each of [left, coming]) await at.volume.blob(each);
    await at.adopt({ isGone: (holder) => holder === 'killed' });
    assert.equal(await at.index.blobs.stored(parseDigest(left.digest)), 30);
    assert.equal(await at.index.blobs.stored(parseDigest(coming.digest)), undefined);
  });

  test('has manifests that are not understood, whose content is nothing to collect, nor what they may refer to', async () => {
    await using at = await scene();
    await at.volume.push('old', undefined, docker);
    const old = literalBlob('{"schemaVersion": 1}');
    await at.volume.blob(old);
    await at.volume.link('old', `_manifests/revisions/${pathOf(old.digest)}`, old.digest);
    await at.volume.link('old', `_layers/${pathOf(docker.blobs[0]?.digest ?? '')}`, '');
    await at.volume.dropManifest('old', docker.digest, []);
    await at.adopt();
    await at.adopt();
    const { collection } = at.index;
    const gone: string[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const { next, blobs }: Collected = await collection.collect(Number.MAX_SAFE_INTEGER, {
        after: after || undefined,
        limit: 9,
      });
      gone.push(...blobs.map(({ digest }) => digest));
      after = next;
    }
    assert.deepEqual(gone, [docker.digest], 'only the manifest whose link was deleted');
  });

  test('of a pull-through cache is a cache of that upstream, whose tags are due', async () => {
    await using at = await scene();
    await at.volume.push('library/app', 'latest', image);
    await at.volume.write('scheduler-state.json', '{}');
    const key = { upstream: 'docker.io', name: parseRepositoryName('library/app') };
    const witnessed: RepositoryKey[] = [];
    const keyOf = (): RepositoryKey => key;
    await at.adopt({ keyOf, witness: async (each) => void witnessed.push(each) });
    await assertHeld(at, key, image);
    assert.deepEqual(witnessed, [key]);
    assert.equal((await at.index.tags.find(key, parseTag('latest')))?.checkedAtMs, 0);
    assert.deepEqual((await at.index.claims.list({ limit: 1, last: undefined })).items, []);
    await at.index.tags.confirm(key, parseTag('latest'), 5);
    await rm(at.volume.path(`${repositories}/library`), { recursive: true });
    await at.adopt({ keyOf });
    assert.equal((await at.index.tags.find(key, parseTag('latest')))?.checkedAtMs, 5, 'nothing is forgotten');
  });

  test('has names that nobody declared as hosted, which are told', async () => {
    await using at = await scene();
    await at.volume.push('team/app', 'latest', image);
    const adoption = await at.adopt({ keyOf: () => undefined });
    assert.match(troubles(at).join(), /^team\/app: hosted\.names does not cover it: add it there/);
    assert.deepEqual(await tagsOf(at, hosted('team/app')), {});
    assert.equal(adoption.unread, 'team/app', 'what it needs is not known');
  });
});

/** Every file below, with what tells whether it was touched. */
async function filesOf(root: string): Promise<readonly string[]> {
  const names = await readdir(join(root, 'docker'), { recursive: true });
  return Promise.all(
    names.map(async (name) => {
      const { ino, size, ctimeMs } = await stat(join(root, 'docker', name));
      return `${name} ${ino} ${size} ${ctimeMs}`;
    }),
  );
}
