import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { indexFailure } from './failure.ts';

/** How long a statement waits for another process's transaction, in milliseconds. Ours last a few at most. */
const busyMsMax = 5_000;
/** Of the page cache of this connection, in KiB. The kernel's cache holds the rest. */
const cacheKibMax = 16_384;
/** Above this many bytes the write-ahead log is cut back after a checkpoint. */
const walBytesMax = 64 * 1024 * 1024;

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
  #rolledBack: () => void = () => {};

  constructor(path: string) {
    this.path = path;
    try {
      this.#connection = new DatabaseSync(path, { timeout: busyMsMax, enableForeignKeyConstraints: true });
      // NORMAL: after a power cut the newest transactions may be missing, never torn, and what they said about the cache
      // is found out again. What acknowledges a push will ask for FULL.
      this.#connection.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA cache_size = -${cacheKibMax};
        PRAGMA journal_size_limit = ${walBytesMax};
      `);
      this.#begin = this.#connection.prepare('BEGIN IMMEDIATE');
      this.#commit = this.#connection.prepare('COMMIT');
    } catch (error) {
      throw indexFailure(path, error);
    }
  }

  query<Row>(sql: string): Query<Row> {
    const statement = this.#prepare(sql);
    const { path } = this;
    return {
      get(...values) {
        try {
          return statement.get(...values) as Row | undefined;
        } catch (error) {
          throw indexFailure(path, error);
        }
      },
      all(...values) {
        try {
          return statement.all(...values) as unknown as readonly Row[];
        } catch (error) {
          throw indexFailure(path, error);
        }
      },
    };
  }

  /** Returns how many rows it changed. */
  command(sql: string): (...values: readonly SQLInputValue[]) => number {
    const statement = this.#prepare(sql);
    return (...values) => {
      try {
        return Number(statement.run(...values).changes);
      } catch (error) {
        throw indexFailure(this.path, error);
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
      return result;
    } catch (error) {
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      this.#rolledBack();
      throw indexFailure(this.path, error);
    }
  }

  /** Several reads that see one state. */
  read<T>(run: () => T): T {
    try {
      this.#connection.exec('BEGIN');
      return run();
    } catch (error) {
      throw indexFailure(this.path, error);
    } finally {
      if (this.#connection.isTransaction) this.#connection.exec('COMMIT');
    }
  }

  execute(sql: string): void {
    try {
      this.#connection.exec(sql);
    } catch (error) {
      throw indexFailure(this.path, error);
    }
  }

  /** Called when a transaction was undone: what was learned inside it may not be so. */
  onRollback(listener: () => void): void {
    this.#rolledBack = listener;
  }

  [Symbol.dispose](): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  #prepare(sql: string): StatementSync {
    try {
      return this.#connection.prepare(sql);
    } catch (error) {
      throw indexFailure(this.path, error);
    }
  }
}
