import { randomBytes } from 'node:crypto';
import type { RepositoryKey } from '../../oci/repository.ts';
import type { Grant, Proof, ProofIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';

const keyBytes = 32;

export class SqliteProofs implements ProofIndex {
  readonly #database: Database;
  readonly #key: Query<{ key: Uint8Array }>;
  readonly #makeKey: (key: Uint8Array) => number;
  readonly #find: Query<{ proved_at: number; expires_at: number | null }>;
  readonly #put: (...row: readonly [string, string, string, number, number | null]) => number;
  readonly #grant: (token: string, credential: string, expiresAtMs: number) => number;
  readonly #granted: Query<{ credential: string; expires_at: number }>;
  readonly #pruneProofs: (beforeMs: number) => number;
  readonly #pruneGrants: (beforeMs: number) => number;
  readonly #challenge: Query<{ challenge: string }>;
  readonly #setChallenge: (host: string, challenge: string) => number;

  constructor(database: Database) {
    this.#database = database;
    this.#key = database.query('SELECT key FROM proof_key');
    this.#makeKey = database.command('INSERT INTO proof_key (id, key) VALUES (1, ?) ON CONFLICT DO NOTHING');
    this.#find = database.query(
      'SELECT proved_at, expires_at FROM proofs WHERE subject = ? AND upstream = ? AND name = ?',
    );
    this.#put = database.command(`
      INSERT INTO proofs (subject, upstream, name, proved_at, expires_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET proved_at = excluded.proved_at, expires_at = excluded.expires_at
    `);
    this.#grant = database.command(`
      INSERT INTO grants (token, credential, expires_at) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET credential = excluded.credential, expires_at = excluded.expires_at
    `);
    this.#granted = database.query('SELECT credential, expires_at FROM grants WHERE token = ?');
    this.#pruneProofs = database.command(`DELETE FROM proofs WHERE proved_at < ? AND subject <> ''`);
    this.#pruneGrants = database.command('DELETE FROM grants WHERE expires_at < ?');
    this.#challenge = database.query('SELECT challenge FROM challenges WHERE host = ?');
    this.#setChallenge = database.command(`
      INSERT INTO challenges (host, challenge) VALUES (?, ?) ON CONFLICT DO UPDATE SET challenge = excluded.challenge
    `);
  }

  async key(): Promise<Uint8Array> {
    return this.#database.write(() => {
      this.#makeKey(randomBytes(keyBytes));
      const row = this.#key.get();
      if (row === undefined) throw new Error('the key of the proofs is missing');
      return row.key;
    });
  }

  async find(subject: string, { upstream, name }: RepositoryKey): Promise<Proof | undefined> {
    const row = this.#find.get(subject, upstream ?? '', name);
    return row && { provedAtMs: row.proved_at, expiresAtMs: row.expires_at ?? Infinity };
  }

  async put(subject: string, { upstream, name }: RepositoryKey, { provedAtMs, expiresAtMs }: Proof): Promise<void> {
    this.#put(subject, upstream ?? '', name, provedAtMs, expiresAtMs === Infinity ? null : expiresAtMs);
  }

  async grant(token: string, { credential, expiresAtMs }: Grant): Promise<void> {
    this.#grant(token, credential, expiresAtMs);
  }

  async granted(token: string): Promise<Grant | undefined> {
    const row = this.#granted.get(token);
    return row && { credential: row.credential, expiresAtMs: row.expires_at };
  }

  async prune(proofsBeforeMs: number, grantsBeforeMs: number): Promise<void> {
    this.#database.write(() => {
      this.#pruneProofs(proofsBeforeMs);
      this.#pruneGrants(grantsBeforeMs);
    });
  }

  async challenge(host: string, now?: string): Promise<string | undefined> {
    const before = this.#challenge.get(host)?.challenge;
    if (now !== undefined && now !== before) this.#setChallenge(host, now);
    return now ?? before;
  }
}
