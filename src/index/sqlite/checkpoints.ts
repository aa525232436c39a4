import { Worker } from 'node:worker_threads';
import type { Database } from './database.ts';

/** In pages of the write-ahead log. A page is 4 KiB. */
export interface CheckpointLimits {
  /** So many that are not in the database yet are worth a checkpoint. */
  readonly dueAt: number;
  /** From this length on the log is begun anew, and whoever writes waits for that. */
  readonly pagesMax: number;
}

/** The most is what the log is cut back to (`walBytesMax`). */
const usual: CheckpointLimits = { dueAt: 4_000, pagesMax: 16_000 };
/** How long readers are waited for when the log has to be begun anew, in milliseconds; ours read for a few at most. */
const readersMsMax = 100;

/**
 * Brings what the write-ahead log holds into the database, beside the event loop: SQLite by itself does it within whatever
 * commit makes the log long, and syncs two files meanwhile. One thread with a connection of its own, started when it is
 * first needed. Several processes may do this with one index; SQLite lets one at a time.
 *
 * An ordinary checkpoint hinders nobody. It leaves what was committed since it began, so where writing never ceases the log
 * would never be begun anew; that is insisted on in the end.
 */
export class Checkpoints implements AsyncDisposable {
  readonly #database: Database;
  readonly #limits: CheckpointLimits;
  #worker: Worker | undefined;
  #isLooking = false;
  #isRunning = false;
  #isOver = false;
  /** How long the log was at the last attempt: what that could not do is tried again when there is more to do. */
  #triedAt = 0;

  constructor(database: Database, limits: CheckpointLimits = usual) {
    this.#database = database;
    this.#limits = limits;
    database.execute('PRAGMA wal_autocheckpoint = 0');
    database.onWrite(() => {
      if (this.#isLooking) return;
      this.#isLooking = true;
      setImmediate(() => this.#look()).unref();
    });
  }

  /** The database may be closed after this. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    worker.ref();
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.postMessage('end');
    await ended;
  }

  #look(): void {
    if (this.#isOver || !this.#database.isOpen) return;
    this.#isLooking = false;
    if (this.#isRunning) return;
    const { pages, settled } = this.#database.log;
    if (pages < this.#triedAt) this.#triedAt = 0;
    if (pages - Math.max(settled, this.#triedAt) < this.#limits.dueAt) return;
    this.#triedAt = pages;
    this.#isRunning = true;
    this.#worker ??= this.#begin();
    this.#worker.postMessage(pages < this.#limits.pagesMax ? 'PASSIVE' : 'RESTART');
  }

  /** Its program is the text of a function, which is there in whatever form this program was started. */
  #begin(): Worker {
    const workerData: WorkerData = { path: this.#database.path, readersMsMax };
    const worker = new Worker(`(${work.toString()})()`, { eval: true, name: 'checkpoints', workerData });
    worker.on('message', () => (this.#isRunning = false));
    worker.on('error', () => this.#giveUp());
    worker.unref();
    return worker;
  }

  /** Without the thread SQLite does it as it always has. What ails the disk it will tell whoever writes. */
  #giveUp(): void {
    this.#worker = undefined;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#database.execute('PRAGMA wal_autocheckpoint = 1000');
  }
}

interface WorkerData {
  readonly path: string;
  readonly readersMsMax: number;
}

/** Runs in the thread, and so uses nothing from outside of itself. */
function work(): void {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
  const { path, readersMsMax: timeout } = workerData as WorkerData;
  const connection = new DatabaseSync(path, { timeout });
  parentPort?.on('message', (order: 'PASSIVE' | 'RESTART' | 'end') => {
    if (order === 'end') {
      connection.close();
      parentPort.close();
      return;
    }
    // That others kept it from something is no error but a row.
    connection.exec(`PRAGMA wal_checkpoint(${order})`);
    parentPort.postMessage('done');
  });
}
