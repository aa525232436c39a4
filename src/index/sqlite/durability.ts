import fs from 'node:fs';
import { dirname } from 'node:path';
import { indexError } from './failure.ts';

/**
 * When a commit is on the disk. The connection itself syncs at checkpoints only (`synchronous=NORMAL`); what has to
 * survive a power cut waits here for a sync of the write-ahead log, which is what `synchronous=FULL` does at each commit
 * (https://sqlite.org/pragma.html#pragma_synchronous). Here the sync runs beside the event loop, and one sync is enough
 * for all commits before it.
 */
export class Durability implements Disposable {
  readonly #path: string;
  #log: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** After a failed sync nobody knows what is on the disk: the kernel may call the same pages clean the next time. */
  #broken: Error | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Of what was committed until now. Nothing to wait for in memory. */
  reached(): Promise<void> {
    if (this.#path === ':memory:') return Promise.resolve();
    if (this.#running === undefined) return this.#start();
    // The one that runs may have begun before the caller's commit.
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  [Symbol.dispose](): void {
    if (this.#log !== undefined) fs.closeSync(this.#log);
    this.#log = undefined;
  }

  #start(): Promise<void> {
    this.#next = undefined;
    const running = this.#sync().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #sync(): Promise<void> {
    try {
      if (this.#broken !== undefined) throw this.#broken;
      await dataSync((this.#log ??= this.#open()));
    } catch (error) {
      this.#broken ??= error instanceof Error ? error : new Error(String(error));
      throw indexError(
        `the index ${this.#path} cannot be synced (${this.#broken.message}), so that nothing can be acknowledged: look at the kernel log and at the disk, then start entrepot again`,
        'SYNC',
        error,
      );
    }
  }

  /** The log is there since the first commit. Its name has to be on the disk as well. */
  #open(): number {
    const directory = fs.openSync(dirname(this.#path), 'r');
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
    return fs.openSync(`${this.#path}-wal`, 'r');
  }
}

function dataSync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
  });
}
