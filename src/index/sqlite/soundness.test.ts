import assert from 'node:assert/strict';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { parseRepositoryName } from '../../oci/reference.ts';
import { Database } from './database.ts';
import { inMemory, openSqliteIndex } from './index.ts';

const key = { upstream: undefined, name: parseRepositoryName('a') };

describe('an index in use', () => {
  test('has no problem while its file is there, nor in memory', async () => {
    await using dir = await TempDir.make();
    for (const path of [dir.join('index.db'), inMemory]) {
      await using index = await openSqliteIndex({ path });
      await index.repositories.statistics();
      assert.equal(index.problem(), undefined);
    }
  });

  test('has one once its file is gone, or is another one, although all that was opened still answers', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using index = await openSqliteIndex({ path });
    await rename(path, `${path}.aside`);
    await index.keeping.cachedBytes();
    assert.match(index.problem() ?? '', /index\.db was removed or replaced.*run `entrepot rebuild`/);
    await writeFile(path, await readFile(`${path}.aside`));
    assert.match(index.problem() ?? '', /was removed or replaced/);
    await rename(`${path}.aside`, path);
    assert.equal(index.problem(), undefined);
  });

  test('has one once a read has found it damaged, whatever else it still answers', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await (await openSqliteIndex({ path }))[Symbol.asyncDispose]();
    await using index = await openSqliteIndex({ path });
    await index.keeping.cachedBytes();
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(7, 2 * 4096));
    await assert.rejects(index.repositories.manifests(key, 1), { code: 'UNAVAILABLE', origin: 'index' });
    assert.match(index.problem() ?? '', /it is damaged: stop entrepot, run `entrepot rebuild`/);
  });

  test('has one once a push could not be synced', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    using database = new Database(path);
    database.useWriteAheadLog();
    database.execute('CREATE TABLE one (text TEXT) STRICT');
    await rm(`${path}-wal`);
    await assert.rejects(database.durable());
    assert.match(database.problem ?? '', /cannot be synced \(ENOENT.*start entrepot again/);
  });
});
