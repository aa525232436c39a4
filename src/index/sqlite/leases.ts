import type { Lease, LeaseIndex, LeaseView } from '../contract.ts';
import type { Database, Query } from './database.ts';

/**
 * Every change is one statement with its condition inside, so that of any number of processes exactly one succeeds.
 * An expired lease that nobody has taken can still be renewed: its epoch is the newest, so nothing was missed.
 */
export class SqliteLeases implements LeaseIndex {
  readonly #database: Database;
  readonly #acquire: Query<{ epoch: number }>;
  readonly #renew: (expiresAtMs: number, state: string, key: string, holder: string, epoch: number) => number;
  readonly #release: (state: string, key: string, holder: string, epoch: number) => number;
  readonly #forget: (key: string, holder: string, epoch: number) => number;
  readonly #peek: Query<LeaseRow>;
  readonly #list: Query<LeaseRow>;
  readonly #prune: (beforeMs: number) => number;

  constructor(database: Database) {
    this.#database = database;
    this.#acquire = database.query(`
      INSERT INTO leases (key, holder, epoch, state, expires_at, released)
        SELECT ?1, ?2, lease_epoch + 1, '', ?3, 0 FROM totals WHERE true
        ON CONFLICT DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, expires_at = excluded.expires_at, released = 0
          WHERE released = 1 OR expires_at <= ?4
        RETURNING epoch
    `);
    this.#renew = database.command(`
      UPDATE leases SET expires_at = ?, state = ? WHERE key = ? AND holder = ? AND epoch = ? AND released = 0
    `);
    this.#release = database.command(`
      UPDATE leases SET released = 1, state = ? WHERE key = ? AND holder = ? AND epoch = ? AND released = 0
    `);
    this.#forget = database.command('DELETE FROM leases WHERE key = ? AND holder = ? AND epoch = ?');
    this.#peek = database.query('SELECT * FROM leases WHERE key = ?');
    this.#list = database.query('SELECT * FROM leases WHERE key >= ?1 AND key < ?2 AND released = 0 ORDER BY key');
    // When a lease was released is not known, but never later than it would have expired.
    this.#prune = database.command('DELETE FROM leases WHERE expires_at < ?');
  }

  async acquire(key: string, holder: string, ttlMs: number, nowMs: number): Promise<Lease | undefined> {
    const row = await this.#database.writeShared(() => this.#acquire.get(key, holder, nowMs + ttlMs, nowMs));
    return row && { key, holder, epoch: row.epoch };
  }

  async renew(lease: Lease, state: string, ttlMs: number, nowMs: number): Promise<boolean> {
    return this.#renew(nowMs + ttlMs, state, lease.key, lease.holder, lease.epoch) === 1;
  }

  async release(lease: Lease, state: string): Promise<void> {
    this.#release(state, lease.key, lease.holder, lease.epoch);
  }

  async forget(lease: Lease): Promise<void> {
    this.#forget(lease.key, lease.holder, lease.epoch);
  }

  async peek(key: string): Promise<LeaseView | undefined> {
    const row = this.#peek.get(key);
    return row && viewOf(row);
  }

  async list(prefix: string): Promise<readonly LeaseView[]> {
    return this.#list.all(prefix, `${prefix}\u{10ffff}`).map(viewOf);
  }

  async prune(beforeMs: number): Promise<void> {
    this.#prune(beforeMs);
  }
}

function viewOf({ key, holder, epoch, state, released, expires_at }: LeaseRow): LeaseView {
  return { key, holder, epoch, state, expiresAtMs: released === 1 ? 0 : expires_at };
}

interface LeaseRow {
  readonly key: string;
  readonly holder: string;
  readonly epoch: number;
  readonly state: string;
  readonly expires_at: number;
  readonly released: number;
}
