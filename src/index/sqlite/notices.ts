import { noticesWaitingMax } from '../notices-contract.ts';
import type { Notice, NoticeIndex, NoticeQueue, WaitingNotice } from '../notices-contract.ts';
import type { Database, Query } from './database.ts';

export const noticesSchema = `
  CREATE TABLE notice_queues (
    endpoint TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX notices_waiting ON notices (endpoint, id);

  CREATE TRIGGER notices_added AFTER INSERT ON notices BEGIN
    INSERT INTO notice_queues (endpoint, waiting) VALUES (NEW.endpoint, 1)
      ON CONFLICT DO UPDATE SET waiting = waiting + 1;
  END;
  CREATE TRIGGER notices_removed AFTER DELETE ON notices BEGIN
    UPDATE notice_queues SET waiting = waiting - 1 WHERE endpoint = OLD.endpoint;
  END;
`;

/** Nothing here is remembered by anybody who reads other tables, so that none of it makes them look again. */
export class SqliteNotices implements NoticeIndex {
  readonly #database: Database;
  readonly #add: (endpoint: string, body: string) => number;
  readonly #next: Query<WaitingNotice>;
  readonly #remove: (id: number) => number;
  readonly #queues: Query<NoticeQueue>;
  readonly #waiting: Query<{ waiting: number }>;
  readonly #drop: (endpoint: string, count: number) => number;
  readonly #count: (dropped: number, endpoint: string) => number;
  readonly #forget: (endpoint: string) => number;
  readonly #forgetQueue: (endpoint: string) => number;

  constructor(database: Database) {
    this.#database = database;
    this.#add = database.aside('INSERT INTO notices (endpoint, body) VALUES (?, ?)');
    this.#next = database.query('SELECT id, body FROM notices WHERE endpoint = ? ORDER BY id LIMIT ?');
    this.#remove = database.aside('DELETE FROM notices WHERE id = ?');
    this.#queues = database.query('SELECT endpoint, waiting, dropped FROM notice_queues ORDER BY endpoint');
    this.#waiting = database.query('SELECT waiting FROM notice_queues WHERE endpoint = ?');
    this.#drop = database.aside(`
      DELETE FROM notices WHERE id IN (SELECT id FROM notices WHERE endpoint = ? ORDER BY id LIMIT ?)
    `);
    this.#count = database.aside('UPDATE notice_queues SET dropped = dropped + ? WHERE endpoint = ?');
    this.#forget = database.aside('DELETE FROM notices WHERE endpoint = ?');
    this.#forgetQueue = database.aside('DELETE FROM notice_queues WHERE endpoint = ?');
  }

  async add(notices: readonly Notice[]): Promise<void> {
    if (notices.length > 0) this.#database.write(() => this.queue(notices));
  }

  /** The same within a transaction of somebody else's. */
  queue(notices: readonly Notice[]): void {
    for (const { endpoint, body } of notices) this.#add(endpoint, body);
    for (const endpoint of new Set(notices.map((notice) => notice.endpoint))) this.#cut(endpoint);
  }

  async next(endpoint: string, limit: number): Promise<readonly WaitingNotice[]> {
    return this.#next.all(endpoint, limit).map(({ id, body }) => ({ id, body }));
  }

  async remove(id: number): Promise<void> {
    this.#remove(id);
  }

  async queues(): Promise<readonly NoticeQueue[]> {
    return this.#queues.all().map(({ endpoint, waiting, dropped }) => ({ endpoint, waiting, dropped }));
  }

  async forget(endpoint: string): Promise<void> {
    this.#database.write(() => {
      this.#forget(endpoint);
      this.#forgetQueue(endpoint);
    });
  }

  #cut(endpoint: string): void {
    const beyond = (this.#waiting.get(endpoint)?.waiting ?? 0) - noticesWaitingMax;
    if (beyond > 0) this.#count(this.#drop(endpoint, beyond), endpoint);
  }
}
