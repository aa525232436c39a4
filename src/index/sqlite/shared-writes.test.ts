import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Database } from './database.ts';

describe('writes of one turn of the event loop', () => {
  let database: Database;
  let commits: number;
  let add: (name: string) => number;
  const names = (): readonly unknown[] => database.query<{ name: string }>('SELECT name FROM t').all();

  beforeEach(() => {
    database = new Database(':memory:');
    database.execute('CREATE TABLE t (name TEXT PRIMARY KEY) STRICT');
    commits = 0;
    database.onCommit(() => (commits += 1));
    add = database.command('INSERT INTO t VALUES (?)');
  });

  afterEach(() => database[Symbol.dispose]());

  test('share a transaction', async () => {
    assert.deepEqual(
      await Promise.all(['a', 'b', 'c'].map((name) => database.writeShared(() => add(name)))),
      [1, 1, 1],
    );
    assert.equal(names().length, 3);
    assert.equal(commits, 1);
  });

  test('fail each by itself, and leave nothing behind', async () => {
    let undone = 0;
    database.onRollback(() => (undone += 1));
    const outcomes = await Promise.allSettled([
      database.writeShared(() => add('a')),
      database.writeShared(() => {
        add('b');
        throw new Error('no');
      }),
      database.writeShared(() => add('a')),
      database.writeShared(() => add('c')),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(
      names().map((row) => ({ ...(row as object) })),
      [{ name: 'a' }, { name: 'c' }],
    );
    assert.equal(undone, 2);
  });

  test('are all refused when the transaction as a whole is', async () => {
    const other = database.writeShared(() => add('a'));
    // As SQLite does by itself when the disk is full.
    const breaks = database.writeShared(() => {
      database.execute('ROLLBACK');
      throw new Error('everything is undone');
    });
    const after = database.writeShared(() => add('b'));
    for (const each of [other, breaks, after]) await assert.rejects(each, /everything is undone/);
    assert.equal(names().length, 0);
    assert.equal(await database.writeShared(() => add('d')), 1);
  });

  test('are made before the index closes', async () => {
    const late = database.writeShared(() => add('a'));
    database[Symbol.dispose]();
    assert.equal(await late, 1);
  });
});
