import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { parseRepositoryName, parseTag } from '../../oci/reference.ts';
import { openSqliteIndex } from './index.ts';
import { Memo } from './memo.ts';

describe('answers that were read before', () => {
  test('are not read again while nothing has changed', () => {
    const database = { version: 1 };
    const memo = new Memo<{ readonly value: number }>(database);
    let reads = 0;
    const ask = (key: string) => memo.recall(key, () => ({ value: (reads += 1) }))?.value;
    assert.deepEqual([ask('a'), ask('a'), ask('b'), ask('a')], [1, 1, 2, 1]);
    database.version = 2;
    assert.deepEqual([ask('a'), ask('a')], [3, 3]);
  });

  test('are only those that there were', () => {
    const memo = new Memo<object>({ version: 1 });
    let reads = 0;
    const ask = () => memo.recall('a', () => void (reads += 1));
    ask();
    ask();
    assert.equal(reads, 2);
  });

  test('never take more than a limit', () => {
    const memo = new Memo<object>({ version: 1 }, 10_000);
    let reads = 0;
    const ask = (key: number) =>
      memo.recall(
        String(key),
        () => ({ key: (reads += 1) }),
        () => 4000,
      );
    for (const key of [1, 2, 1, 2]) ask(key);
    assert.equal(reads, 2);
    ask(3);
    for (const key of [1, 2]) ask(key);
    assert.ok(reads > 3, 'something had to go');
  });
});

const repository = { upstream: 'quay.io', name: parseRepositoryName('a') };
const tag = parseTag('1');
const [first, second] = ['1', '2'].map((each) =>
  parseManifest(
    Buffer.from(`{"schemaVersion":2,"manifests":[],"annotations":{"n":"${each}"}}`),
    'application/vnd.oci.image.index.v1+json',
  ),
) as [ReturnType<typeof parseManifest>, ReturnType<typeof parseManifest>];

describe('an index', () => {
  test('remembers nothing that it has changed itself', async () => {
    await using index = await openSqliteIndex({ path: ':memory:' });
    for (const manifest of [first, second]) {
      await index.manifests.put(repository, manifest, 1);
      await index.tags.point(repository, tag, manifest.digest, 1);
      assert.equal((await index.tags.find(repository, tag))?.digest, manifest.digest);
      assert.equal((await index.manifests.find(repository, manifest.digest))?.digest, manifest.digest);
    }
    await index.tags.confirm(repository, tag, 7);
    assert.equal((await index.tags.find(repository, tag))?.checkedAtMs, 7);
    await index.manifests.remove(repository, second.digest);
    assert.equal(await index.tags.find(repository, tag), undefined);
    assert.equal(await index.manifests.find(repository, second.digest), undefined);
  });

  test('sees at once what was written in this process, and at the next turn what another one wrote', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using ours = await openSqliteIndex({ path });
    await using beside = await openSqliteIndex({ path });
    await ours.manifests.put(repository, first, 1);
    assert.ok(await ours.manifests.find(repository, first.digest));
    await beside.manifests.remove(repository, first.digest);
    assert.equal(await ours.manifests.find(repository, first.digest), undefined);

    await ours.manifests.put(repository, first, 1);
    assert.ok(await ours.manifests.find(repository, first.digest));
    using foreign = new DatabaseSync(path);
    foreign.exec('DELETE FROM held');
    await setImmediate();
    assert.equal(await ours.manifests.find(repository, first.digest), undefined);
  });

  test('forgets nothing because of a question', async () => {
    await using index = await openSqliteIndex({ path: ':memory:' });
    await index.manifests.put(repository, first, 1);
    const version = index.version();
    assert.equal((await index.repositories.images({ limit: 10, last: undefined }, '')).items.length, 1);
    assert.equal(index.version(), version);
  });

  test('remembers nothing of a transaction that was undone', async () => {
    await using index = await openSqliteIndex({ path: ':memory:' });
    await index.manifests.put(repository, first, 1);
    const missing = digestOf('missing');
    await assert.rejects(index.tags.point(repository, tag, missing, 1), { code: 'MANIFEST_UNKNOWN' });
    assert.equal(await index.tags.find(repository, tag), undefined);
    assert.ok(await index.manifests.find(repository, first.digest));
  });
});
