import assert from 'node:assert/strict';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { Checkpoints } from './checkpoints.ts';
import type { CheckpointLimits } from './checkpoints.ts';
import { Database } from './database.ts';
import { openSqliteIndex } from './index.ts';

const limits: CheckpointLimits = { dueAt: 50, pagesMax: 400 };

class Written implements AsyncDisposable {
  readonly database: Database;
  readonly #checkpoints: Checkpoints;
  readonly #add: (text: string) => number;

  constructor(path: string) {
    this.database = new Database(path);
    this.database.useWriteAheadLog();
    this.database.execute('CREATE TABLE t (text TEXT) STRICT');
    this.#add = this.database.command('INSERT INTO t VALUES (?)');
    this.#checkpoints = new Checkpoints(this.database, limits);
  }

  /** Takes a page or two in the log. */
  write(): void {
    this.#add('a'.repeat(3_000));
  }

  /** Writes as much as is worth a checkpoint, and waits for that: as long as nobody writes, the log stays as it is. */
  async settle(): Promise<void> {
    while (this.database.log.pages <= limits.dueAt) this.write();
    while (this.database.log.settled < limits.dueAt) await nextTurn();
  }

  get rows(): number | undefined {
    return this.database.query<{ n: number }>('SELECT count(*) AS n FROM t').get()?.n;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#checkpoints[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
  }
}

/** Reads all the time: the next transaction begins before the last one has ended. */
const readers = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const both = [0, 1].map(() => new DatabaseSync(workerData, { readOnly: true }));
  const begin = (reader) => reader.exec('BEGIN; SELECT count(*) FROM t');
  let turn = 0;
  const change = () => {
    const [one, other] = [both[turn % 2], both[(turn + 1) % 2]];
    turn += 1;
    begin(other);
    one.exec('COMMIT');
  };
  begin(both[0]);
  const timer = setInterval(change, 2);
  parentPort.once('message', () => {
    clearInterval(timer);
    for (const reader of both) reader.close();
  });
  parentPort.postMessage('reading');
`;

describe('checkpoints', () => {
  test('bring into the database what was committed, once it is enough', async () => {
    await using dir = await TempDir.make();
    await using index = new Written(dir.join('index.db'));
    await index.settle();
    const { rows } = index;
    index.write();
    assert.equal(index.rows, (rows ?? 0) + 1);
  });

  test('are not made for a few writes', async () => {
    await using dir = await TempDir.make();
    await using index = new Written(dir.join('index.db'));
    for (let each = 0; each < 5; each += 1) index.write();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.equal(index.database.log.settled, 0);
  });

  test('keep the log within bounds though somebody always reads, and writing never ceases', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using index = new Written(path);
    const reading = new Worker(readers, { eval: true, workerData: path });
    const ended = new Promise((resolve) => reading.once('exit', resolve));
    await new Promise((resolve) => reading.once('message', resolve));
    let [longest, written, before, begunAnew] = [0, 0, 0, 0];
    // What is written in one turn comes on top of the bound, and so does what is written while a checkpoint goes on.
    while (begunAnew < 3 && written < 100_000) {
      index.write();
      written += 1;
      const { pages } = index.database.log;
      if (pages < before) begunAnew += 1;
      before = pages;
      longest = Math.max(longest, pages);
      if (written % 5 === 0) await nextTurn();
    }
    reading.postMessage('end');
    await ended;
    assert.equal(begunAnew, 3, `after ${written} writes the log has ${before} pages, and had ${longest}`);
    assert.equal(index.rows, written);
  });

  test('are left to SQLite where the thread cannot work', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    await using index = new Written(path);
    await rename(path, dir.join('elsewhere.db'));
    await mkdir(path);
    const every = index.database.query<{ wal_autocheckpoint: number }>('PRAGMA wal_autocheckpoint');
    assert.equal(every.get()?.wal_autocheckpoint, 0);
    while (every.get()?.wal_autocheckpoint === 0) {
      index.write();
      await nextTurn();
    }
    index.write();
  });

  test('have ended when the index is closed: nothing is left but the database', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('index.db');
    const index = await openSqliteIndex({ path });
    await index.pins.pin('docker.io/**');
    await index[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(dir.path), ['index.db']);
  });

  test('are not begun again by what was written just before the end', async () => {
    await using dir = await TempDir.make();
    const begun: unknown[] = [];
    const notice = (worker: unknown): unknown => begun.push(worker);
    process.on('worker', notice);
    {
      await using index = new Written(dir.join('index.db'));
      while (index.database.log.settled === 0) {
        index.write();
        await nextTurn();
      }
      // The thread has yet to say that it is done.
      for (let turn = 0; turn < 500; turn += 1) await nextTurn();
      for (let each = 0; each < 2 * limits.dueAt; each += 1) index.write();
    }
    await nextTurn();
    process.off('worker', notice);
    assert.equal(begun.length, 1);
  });
});
