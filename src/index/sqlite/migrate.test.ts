import assert from 'node:assert/strict';
import { copyFile, open, readFile, stat, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { Database } from './database.ts';
import { openSqliteIndex } from './index.ts';
import { migrate } from './migrate.ts';
import { migrations } from './schema.ts';
import { storedBytesMigration } from './schema-stored-bytes.ts';

const steps = [
  'CREATE TABLE one (text TEXT) STRICT',
  "ALTER TABLE one ADD COLUMN more TEXT NOT NULL DEFAULT 'more'",
  'CREATE TABLE two (text TEXT) STRICT; INSERT INTO two SELECT text FROM one',
];

describe('the schema of an index', () => {
  for (const version of [migrations.length, migrations.length - 1]) {
    test(`lets no statement walk through the tags of a repository to find those of a manifest, from version ${version}`, async (t) => {
      await using dir = await TempDir.make();
      const path = dir.join('index.db');
      {
        using database = new Database(path);
        migrate(database, migrations.slice(0, version));
      }
      const prepare = t.mock.method(DatabaseSync.prototype, 'prepare');
      await using _index = await openSqliteIndex({ path });
      const statements = new Set(prepare.mock.calls.map(({ arguments: [sql] }) => sql));
      assert.ok(statements.size > 100, `${statements.size}`);
      using plain = new DatabaseSync(path);
      for (const sql of statements) {
        const plan = plain.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
        const walks = plan.filter(({ detail }) => detail === 'SEARCH tags USING PRIMARY KEY (repository=?)');
        assert.deepEqual(walks, [], sql);
      }
    });
  }

  for (const version of migrations.keys()) {
    test(`goes from version ${version} to the newest by itself`, async () => {
      await using dir = await TempDir.make();
      const path = dir.join('index.db');
      {
        using database = new Database(path);
        migrate(database, migrations.slice(0, version));
      }
      await using index = await openSqliteIndex({ path });
      assert.deepEqual(await index.keeping.candidates(1), []);
      assert.equal(versionOf(path), migrations.length);
    });
  }

  test('counts all that rests in the store when it comes from a version that left out what is hosted', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    {
      using database = new Database(path);
      migrate(database, migrations.slice(0, migrations.indexOf(storedBytesMigration)));
      database.execute("INSERT INTO repositories (id, upstream, name, display) VALUES (1, '', 'app', 'app')");
      database.execute("INSERT INTO contents (id, digest) VALUES (1, x'01'), (2, x'02'), (3, x'03')");
      database.execute('UPDATE contents SET size = 100 * id WHERE id < 3');
      database.execute('INSERT INTO members (content, repository, added_at) VALUES (1, 1, 0)');
    }
    await using index = await openSqliteIndex({ path });
    assert.equal((await index.repositories.statistics()).heldBytes, 300);
    assert.equal(await index.keeping.cachedBytes(), 200);
  });

  test('keeps what is there while it goes forward over several versions', async () => {
    await using dir = await TempDir.make();
    using database = new Database(dir.join('index.db'));
    migrate(database, steps.slice(0, 1));
    database.execute("INSERT INTO one VALUES ('kept')");
    migrate(database, steps);
    migrate(database, steps);
    assert.deepEqual({ ...database.query<object>('SELECT * FROM one').get() }, { text: 'kept', more: 'more' });
    assert.deepEqual({ ...database.query<object>('SELECT * FROM two').get() }, { text: 'kept' });
  });

  test('stays where it was when a step fails', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    using database = new Database(path);
    migrate(database, steps.slice(0, 1));
    assert.throws(() => migrate(database, [...steps, 'CREATE TABLE one (text TEXT)']), { origin: 'index' });
    assert.equal(versionOf(path), 1);
    assert.throws(() => database.query('SELECT * FROM two'), /no such table/);
    migrate(database, steps);
    assert.equal(versionOf(path), 3);
  });

  test('is refused when a newer entrepot wrote it, untouched, with what to do', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    {
      using database = new Database(path);
      migrate(database, [...migrations, 'CREATE TABLE tomorrow (text TEXT)']);
    }
    const next = migrations.length + 1;
    const before = await readFile(path);
    await assert.rejects(openSqliteIndex({ path }), {
      code: 'UNAVAILABLE',
      origin: 'index',
      detail: { code: 'NEWER' },
      message: `the index ${path} has schema version ${next}, and this entrepot knows versions up to ${migrations.length}: start the newer entrepot that wrote it, or move the file away to begin with an empty index`,
    });
    assert.deepEqual(await readFile(path), before);
  });

  test('is not written into the database of another program', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('other.db');
    {
      using other = new DatabaseSync(path);
      other.exec('CREATE TABLE theirs (text TEXT)');
    }
    const before = await readFile(path);
    await assert.rejects(openSqliteIndex({ path }), { origin: 'index', detail: { code: 'FOREIGN' } });
    assert.deepEqual(await readFile(path), before);
  });

  test('is made once when several processes start at the same moment', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    const module = new URL('index.ts', import.meta.url).href;
    const code = `
      const { parentPort } = require('node:worker_threads');
      import('${module}').then(({ openSqliteIndex }) => {
        parentPort.once('message', async () => {
          const index = await openSqliteIndex({ path: '${path}' });
          await index.keeping.cachedBytes();
          parentPort.postMessage('open');
        });
        parentPort.postMessage('ready');
      });
    `;
    const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true }));
    await Promise.all(workers.map(nextMessage));
    const opened = workers.map(nextMessage);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    for (const worker of workers) worker.postMessage('go');
    assert.deepEqual(await Promise.all(opened), ['open', 'open', 'open', 'open']);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});

describe('the file of an index', () => {
  test('and its directory are for the owner alone', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('entrepot', 'index.db');
    await using index = await openSqliteIndex({ path });
    await index.pins.pin('a:b');
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file);
    assert.equal((await stat(dir.join('entrepot'))).mode & 0o777, 0o700);
  });

  test('that is no database is refused with what to do, and left as it is', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    const text = 'this is no database, however long it may be: '.repeat(50);
    await writeFile(path, text);
    await assert.rejects(openSqliteIndex({ path }), {
      code: 'UNAVAILABLE',
      origin: 'index',
      detail: { code: 'NOTADB' },
      message: /it is not a database: run `entrepot rebuild`, which makes it anew from the volume, and start again$/,
    });
    assert.equal(await readFile(path, 'utf8'), text);
  });

  test('that is damaged says so with what to do, when it is opened or when the damage is met', async () => {
    await using dir = await TempDir.make();
    const [whole, path] = [dir.join('whole.db'), dir.join('damaged.db')];
    {
      await using index = await openSqliteIndex({ path: whole });
      for (let each = 0; each < 900; each += 1) await index.pins.pin(`pattern-number-${each}:of-many`);
    }
    await copyFile(whole, path);
    const { size } = await stat(path);
    {
      await using file = await open(path, 'r+');
      await file.write(Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096);
    }
    const use = async (): Promise<void> => {
      await using index = await openSqliteIndex({ path });
      await index.pins.list();
    };
    await assert.rejects(use, {
      code: 'UNAVAILABLE',
      origin: 'index',
      detail: { code: 'CORRUPT' },
      message:
        /it is damaged: stop entrepot, run `entrepot rebuild`, which makes it anew from the volume, and start again/,
    });
  });

  test('that a development version made, with other tables, says so with what to do', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await (await openSqliteIndex({ path }))[Symbol.asyncDispose]();
    {
      using raw = new DatabaseSync(path);
      raw.exec('DROP TABLE pins; CREATE TABLE pins (pattern TEXT PRIMARY KEY) STRICT, WITHOUT ROWID');
    }
    const use = async (): Promise<void> => {
      await using index = await openSqliteIndex({ path });
      await index.pins.configure([]);
    };
    await assert.rejects(use, {
      code: 'UNAVAILABLE',
      message: /made by a development version: run `entrepot rebuild`/,
    });
  });

  test('that cannot be made is an error with what to do', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('file'), '');
    await assert.rejects(openSqliteIndex({ path: dir.join('file', 'index.db') }), {
      code: 'UNAVAILABLE',
      origin: 'index',
      message: /cannot be opened \(E[A-Z]+\): make its directory writable for the user that runs entrepot$/,
    });
  });
});

function versionOf(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true });
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

function nextMessage(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
