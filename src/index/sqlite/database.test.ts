import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { blob, etcd, hold, image, imageIndex, latest, redis } from '../../../test/contracts/index-fixtures.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { Database } from './database.ts';
import type { Query } from './database.ts';
import { RepositoryIds } from './identities.ts';
import { indexOver, inMemory, openSqliteIndex } from './index.ts';
import { migrate } from './migrate.ts';
import { migrations } from './schema.ts';

describe('the database', () => {
  test('takes writes from several processes at once, and loses none', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using index = await openSqliteIndex({ path });
    const module = new URL('index.ts', import.meta.url).href;
    const writes = 150;
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import('${module}').then(async ({ openSqliteIndex }) => {
        const index = await openSqliteIndex({ path: '${path}' });
        for (let each = 0; each < ${writes}; each += 1) {
          await index.repositories.setVisibility({ upstream: 'u', name: workerData + each }, { public: true, checkedAtMs: each });
          await index.pins.pin(workerData + each);
        }
        await index[Symbol.asyncDispose]();
      });
    `;
    const workers = ['a', 'b', 'c'].map((workerData) => new Worker(code, { eval: true, workerData }));
    await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))),
    );
    assert.equal((await index.pins.list()).length, workers.length * writes);
    for (const name of ['a0', `b${writes - 1}`, 'c77']) {
      assert.ok(await index.repositories.visibility({ ...redis, upstream: 'u', name: name as typeof redis.name }));
    }
  });

  test('forgets what a transaction that was undone had learned', async () => {
    using database = new Database(inMemory);
    migrate(database, migrations);
    const ids = new RepositoryIds(database);
    const failing = (): void => {
      ids.ensure(redis);
      assert.ok(ids.find(redis));
      throw new Error('undone');
    };
    assert.throws(() => database.write(failing), /undone/);
    assert.equal(ids.find(redis), undefined);
    assert.ok(database.write(() => ids.ensure(redis)));
  });

  test('needs no temporary file to undo a large write', async () => {
    await using dir = await TempDir.make();
    using database = new Database(dir.join('index.db'));
    database.useWriteAheadLog();
    database.execute('CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT) STRICT');
    const add = database.command('INSERT INTO t (text) VALUES (?)');
    const change = database.command('UPDATE t SET text = ?');
    database.write(() => {
      for (let row = 0; row < 300; row += 1) add('a'.repeat(1000));
    });
    let open: readonly (string | undefined)[] = [];
    const undone = database.writeShared(() => {
      change('b'.repeat(1000));
      open = readdirSync('/proc/self/fd').map(target);
      throw new Error('undo it');
    });
    await assert.rejects(undone, /undo it/);
    assert.ok(open.some((path) => path?.endsWith('/index.db')));
    assert.deepEqual(
      open.filter((path) => path?.includes('etilqs')),
      [],
      'as SQLite calls them',
    );
    assert.equal(database.query<{ n: number }>("SELECT count(*) AS n FROM t WHERE text LIKE 'a%'").get()?.n, 300);
  });

  test('keeps no row of what was evicted', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using index = await openSqliteIndex({ path });
    const [one, two] = [image([blob('config', 1), blob('one', 2)]), image([blob('config', 1), blob('two', 3)])];
    const both = imageIndex([one, two]);
    const signature = image([blob('signature', 4)], { subject: one });
    const stray = image([blob('stray', 5)], { subject: blob('never held', 6) });
    for (const key of [redis, etcd]) {
      for (const each of [one, two, both, signature, stray]) await hold(index, key, each, 1);
      await index.tags.point(key, latest, both.digest, 1);
      for (const { digest } of one.children) await index.blobs.addMember(key, digest, 1);
    }
    for (
      let left = await index.keeping.candidates(1);
      left[0] !== undefined;
      left = await index.keeping.candidates(1)
    ) {
      await index.keeping.evict(left[0]);
    }
    using raw = new DatabaseSync(path, { readOnly: true });
    for (const table of ['contents', 'manifests', 'held', 'refs', 'tags', 'members']) {
      assert.equal(raw.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows'], 0, table);
    }
  });

  test('answers from its indexes: nothing that grows with the content is read from end to end', () => {
    using database = new NotingDatabase(inMemory);
    migrate(database, migrations);
    indexOver(database);
    const inOrderOnly = / USING (COVERING )?INDEX (contents_loose|held_evictable)$/;
    const slow = /^SCAN (contents|held|manifests|members|refs|repositories|tags)\b|AUTOMATIC/;
    for (const sql of database.noted) {
      if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/.test(sql)) continue;
      const plan = database.query<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all();
      for (const { detail } of plan) assert.ok(!slow.test(detail) || inOrderOnly.test(detail), `${detail} in ${sql}`);
    }
    assert.ok(database.noted.length > 50);
  });
});

/** Remembers what it was asked to prepare. */
class NotingDatabase extends Database {
  readonly noted: string[] = [];

  override query<Row>(sql: string): Query<Row> {
    this.noted.push(sql);
    return super.query(sql);
  }

  override command(sql: string): ReturnType<Database['command']> {
    this.noted.push(sql);
    return super.command(sql);
  }
}

/** What a descriptor of this process is of; `undefined` for one that is closed again. */
function target(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}
