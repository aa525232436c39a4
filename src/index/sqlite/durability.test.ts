import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { Database } from './database.ts';
import { migrate } from './migrate.ts';

type Done = (error: NodeJS.ErrnoException | null) => void;

/** Syncs that were begun, to be ended by the test. */
function holdSyncs(t: TestContext): Done[] {
  const begun: Done[] = [];
  t.mock.method(fs, 'fdatasync', (_descriptor: number, done: Done) => void begun.push(done));
  return begun;
}

async function open(dir: TempDir): Promise<Database> {
  const database = new Database(dir.join('index.db'));
  migrate(database, ['CREATE TABLE one (text TEXT) STRICT']);
  return database;
}

describe('a durable commit', () => {
  test('waits for a sync that began after it, and shares it with all who wait', async (t) => {
    await using dir = await TempDir.make();
    using database = await open(dir);
    const begun = holdSyncs(t);
    const reached: string[] = [];
    const wait = (name: string): Promise<void> => database.durable().then(() => void reached.push(name));
    const waits = [wait('first'), wait('second'), wait('third')];
    assert.equal(begun.length, 1);
    begun[0]?.(null);
    while (begun.length < 2) await nextTurn();
    assert.deepEqual(reached, ['first'], 'the others may have committed after its beginning');
    begun[1]?.(null);
    await Promise.all(waits);
    assert.deepEqual(reached, ['first', 'second', 'third']);
    assert.equal(begun.length, 2);
  });

  test('is never promised again once a sync has failed: the kernel tells it only once', async (t) => {
    await using dir = await TempDir.make();
    using database = await open(dir);
    const begun = holdSyncs(t);
    const first = database.durable();
    begun[0]?.(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
    const failure = { code: 'UNAVAILABLE', origin: 'index', message: /EIO.*look at the kernel log/ };
    await assert.rejects(first, failure);
    await assert.rejects(database.durable(), failure);
    assert.equal(begun.length, 1);
  });

  test('is at once what it will ever be in memory', async (t) => {
    using database = new Database(':memory:');
    const begun = holdSyncs(t);
    await database.durable();
    assert.equal(begun.length, 0);
  });
});
