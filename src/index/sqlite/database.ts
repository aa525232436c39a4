import { backup, DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { Durability } from './durability.ts';
import { indexFailure, isBusy } from './failure.ts';
import { SharedWrites } from './shared-writes.ts';
import type { Outcome } from './shared-writes.ts';
import { Soundness } from './soundness.ts';
import { Version } from './version.ts';

/** How long a statement waits for another process's transaction, in milliseconds. Ours last a few at most. */
const busyMsMax = 5_000;
/** Of the page cache of this connection, in KiB. The kernel's cache holds the rest. */
const cacheKibMax = 16_384;
/** Above this many bytes the write-ahead log is cut back after a checkpoint. */
const walBytesMax = 64 * 1024 * 1024;

/** How often, and how many milliseconds apart, a start tries to switch to the write-ahead log. */
const walAttemptsMax = 100;
const walRetryMs = 20;

/** A prepared statement that returns rows of that shape. */
export interface Query<Row> {
  get(...values: readonly SQLInputValue[]): Row | undefined;
  all(...values: readonly SQLInputValue[]): readonly Row[];
}

/** One connection. Errors of SQLite leave it as RegistryErrors. */
export class Database implements Disposable {
  readonly path: string;
  readonly #connection: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #mark: StatementSync;
  readonly #unmark: StatementSync;
  readonly #shared: SharedWrites;
  readonly #durability: Durability;
  readonly #version: Version;
  readonly #logged: StatementSync;
  readonly #soundness: Soundness;
  #rolledBack: () => void = () => {};
  #committed: () => void = () => {};
  #wrote: () => void = () => {};

  constructor(path: string) {
    this.path = path;
    this.#connection = connect(path);
    this.#soundness = new Soundness(path);
    this.#durability = new Durability(path);
    this.#begin = this.#prepare('BEGIN IMMEDIATE');
    this.#commit = this.#prepare('COMMIT');
    this.#mark = this.#prepare('SAVEPOINT attempt');
    this.#unmark = this.#prepare('RELEASE attempt');
    this.#shared = new SharedWrites({ write: (run) => this.write(run), attempt: (run) => this.#attempt(run) });
    const look = this.#prepare('PRAGMA data_version');
    this.#version = new Version(() => Number(look.get()?.['data_version']));
    this.#logged = this.#prepare('PRAGMA wal_checkpoint(NOOP)');
  }

  /** Readers and a writer no longer wait for each other. It is noted in the file, so only in one that is known to be ours. */
  useWriteAheadLog(): void {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#connection.exec(`PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = ${walBytesMax}`);
        return;
      } catch (error) {
        // The one statement for which SQLite does not wait by itself while another process does the same.
        if (!isBusy(error) || attempt === walAttemptsMax) throw this.#failed(error);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, walRetryMs);
      }
    }
  }

  /** Another number when anything that was read may have changed since. See `Version`. */
  get version(): number {
    return this.#version.current;
  }

  /** What is wrong with its file that stays wrong, as far as was seen; `undefined` when nothing is. */
  get problem(): string | undefined {
    return this.#soundness.problem;
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** How long the write-ahead log is, in pages, and how many of them the database has already. */
  get log(): { readonly pages: number; readonly settled: number } {
    const row = this.#logged.get();
    return { pages: Number(row?.['log']), settled: Number(row?.['checkpointed']) };
  }

  query<Row>(sql: string): Query<Row> {
    const statement = this.#prepare(sql);
    const failed = (error: unknown): unknown => this.#failed(error);
    const writes = (): void => {
      this.#version.wrote();
      this.#wrote();
    };
    const wrote = readsOnly.test(sql) ? undefined : writes;
    return {
      get(...values) {
        wrote?.();
        try {
          return statement.get(...values) as Row | undefined;
        } catch (error) {
          throw failed(error);
        }
      },
      all(...values) {
        wrote?.();
        try {
          return statement.all(...values) as unknown as readonly Row[];
        } catch (error) {
          throw failed(error);
        }
      },
    };
  }

  /** Returns how many rows it changed. */
  command(sql: string): (...values: readonly SQLInputValue[]) => number {
    const run = this.aside(sql);
    return (...values) => {
      this.#version.wrote();
      return run(...values);
    };
  }

  /** A command that changes nothing which anybody remembers to have read: when something was last used. */
  aside(sql: string): (...values: readonly SQLInputValue[]) => number {
    const statement = this.#prepare(sql);
    return (...values) => {
      this.#wrote();
      try {
        return Number(statement.run(...values).changes);
      } catch (error) {
        throw this.#failed(error);
      }
    };
  }

  /**
   * One transaction that may write; all or nothing. It takes the write lock at its start: one that reads first and then
   * wants to write is refused by SQLite, without waiting, when another process wrote in between.
   */
  write<T>(run: () => T): T {
    try {
      this.#begin.run();
      const result = run();
      this.#commit.run();
      this.#committed();
      return result;
    } catch (error) {
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      this.#version.wrote();
      this.#rolledBack();
      throw this.#failed(error);
    }
  }

  /** As `write`, in one transaction with whatever else is asked for in this turn of the event loop. Resolves when committed. */
  writeShared<T>(run: () => T): Promise<T> {
    return this.#shared.write(run);
  }

  /** Resolves when everything that was committed until now survives a power cut. */
  async durable(): Promise<void> {
    try {
      await this.#durability.reached();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Into another file, while this one is being used. */
  async copy(path: string): Promise<void> {
    try {
      await backup(this.#connection, path);
    } catch (error) {
      throw indexFailure(path, error);
    }
  }

  /** Several reads that see one state. */
  read<T>(run: () => T): T {
    try {
      this.#connection.exec('BEGIN');
      return run();
    } catch (error) {
      throw this.#failed(error);
    } finally {
      if (this.#connection.isTransaction) this.#connection.exec('COMMIT');
    }
  }

  execute(sql: string): void {
    this.#version.wrote();
    try {
      this.#connection.exec(sql);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Called when a transaction was undone: what was learned inside it may not be so. */
  onRollback(listener: () => void): void {
    this.#rolledBack = listener;
  }

  /** Called before every statement that writes. */
  onWrite(listener: () => void): void {
    this.#wrote = listener;
  }

  /** Called after every transaction of this connection that may have written. */
  onCommit(listener: () => void): void {
    this.#committed = listener;
  }

  [Symbol.dispose](): void {
    this.#shared[Symbol.dispose]();
    if (this.#connection.isOpen) this.#connection.close();
    this.#durability[Symbol.dispose]();
  }

  #attempt<T>(run: () => T): Outcome<T> {
    try {
      this.#mark.run();
      const value = run();
      this.#unmark.run();
      return { value };
    } catch (failure) {
      const error = this.#failed(failure);
      // Some errors make SQLite undo the whole transaction.
      if (!this.#connection.isTransaction) throw error;
      this.#connection.exec('ROLLBACK TO attempt; RELEASE attempt');
      this.#version.wrote();
      this.#rolledBack();
      return { error };
    }
  }

  #failed(error: unknown): unknown {
    const failure = indexFailure(this.path, error);
    this.#soundness.note(failure);
    return failure;
  }

  #prepare(sql: string): StatementSync {
    try {
      return this.#connection.prepare(sql);
    } catch (error) {
      throw this.#failed(error);
    }
  }
}

/** No statement of ours writes after a WITH. */
const readsOnly = /^\s*(SELECT|WITH)\b/;

function connect(path: string): DatabaseSync {
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path, { timeout: busyMsMax, enableForeignKeyConstraints: true });
    // NORMAL: after a power cut the newest transactions may be missing, never torn, and what they said about the cache is
    // found out again. What acknowledges a push waits until it is durable. MEMORY: what a savepoint may have to undo would
    // go to a temporary file, and a container need not have a directory for these.
    connection.exec(`
      PRAGMA synchronous = NORMAL;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${cacheKibMax};
    `);
    return connection;
  } catch (error) {
    connection?.close();
    throw indexFailure(path, error);
  }
}
