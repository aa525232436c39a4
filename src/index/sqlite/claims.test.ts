import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { parseRepositoryName } from '../../oci/reference.ts';
import type { Manifest } from '../../oci/manifest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import type { Index } from '../contract.ts';
import { openSqliteIndex } from './index.ts';

const empty: Manifest = parseManifest(Buffer.from('{"schemaVersion":2,"manifests":[]}'), '');

async function push(index: Index, name: string): Promise<void> {
  const key = { upstream: undefined, name: parseRepositoryName(name) };
  await index.hosted.put(key, empty, { tags: [], isImmutable: () => false, sparse: false, atMs: 1 });
}

async function claimed(index: Index): Promise<readonly string[]> {
  return (await index.claims.list({ limit: 10, last: undefined })).items;
}

describe('claimed names', () => {
  test('are files beside the index, and survive its loss', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    {
      await using index = await openSqliteIndex({ path });
      for (const name of ['app', 'web', 'local/app']) await push(index, name);
    }
    assert.deepEqual(await readdir(dir.join('claims')), ['app', 'web']);
    for (const end of ['', '-wal', '-shm']) await rm(`${path}${end}`, { force: true });
    await using index = await openSqliteIndex({ path });
    assert.deepEqual(await claimed(index), ['app', 'web']);
    assert.deepEqual(await index.repositories.list({ limit: 10, last: undefined }), { items: [], next: undefined });
  });

  test('survive the loss of their files', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    {
      await using index = await openSqliteIndex({ path });
      await push(index, 'app');
    }
    await rm(dir.join('claims'), { recursive: true });
    await using index = await openSqliteIndex({ path });
    assert.deepEqual(await claimed(index), ['app']);
    assert.deepEqual(await readdir(dir.join('claims')), ['app']);
  });

  test('are no file that is no name, and none that was released', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    {
      await using index = await openSqliteIndex({ path });
      await push(index, 'app');
      await push(index, 'web');
      await writeFile(dir.join('claims/NOT A NAME'), '');
      assert.equal(await index.claims.release('app'), true);
    }
    await using index = await openSqliteIndex({ path });
    assert.deepEqual(await claimed(index), ['web']);
  });

  test('that cannot be kept are not claimed, nor is anything pushed', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    await writeFile(dir.join('claims'), 'in the way');
    await assert.rejects(push(index, 'app'), { code: 'UNAVAILABLE', origin: 'index', message: /make it writable/ });
    assert.deepEqual(await claimed(index), []);
    assert.equal((await index.repositories.statistics()).manifests, 0);
    await rm(dir.join('claims'));
  });
});
