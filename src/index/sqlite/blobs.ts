import type { Digest } from '../../oci/digest.ts';
import type { RepositoryKey } from '../../oci/repository.ts';
import type { BlobIndex, Lease } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest, encodeDigest } from './digests.ts';
import { keyOf } from './identities.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';

export interface BlobParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
}

/** Repositories that are told at once as places to fetch a blob from again. */
const membersMax = 64;

export class SqliteBlobs implements BlobIndex {
  readonly #parts: BlobParts;
  readonly #isMember: Query<unknown>;
  readonly #isPublic: Query<unknown>;
  readonly #members: Query<{ upstream: string; name: string }>;
  readonly #stored: Query<{ size: number }>;
  readonly #addMember: (content: number, repository: number, atMs: number) => number;
  readonly #newest: Query<unknown>;
  readonly #store: (size: number, atMs: number, content: number) => number;
  readonly #forget: (content: number) => number;
  readonly #list: Query<{ digest: Uint8Array; size: number }>;

  constructor(parts: BlobParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#isMember = database.query(`
      SELECT 1 FROM contents JOIN members ON members.content = contents.id AND members.repository = ? WHERE digest = ?
    `);
    this.#isPublic = database.query(`
      SELECT 1 FROM contents JOIN members ON members.content = contents.id
        JOIN repositories ON repositories.id = members.repository AND repositories.public = 1
        WHERE contents.digest = ? LIMIT 1
    `);
    this.#members = database.query(`
      SELECT upstream, name FROM contents JOIN members ON members.content = contents.id
        JOIN repositories ON repositories.id = members.repository WHERE digest = ? ORDER BY members.repository LIMIT ${membersMax}
    `);
    this.#stored = database.query('SELECT size FROM contents WHERE digest = ? AND size IS NOT NULL');
    this.#addMember = database.command(`
      INSERT INTO members (content, repository, added_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
    `);
    this.#newest = database.query('SELECT 1 FROM leases WHERE key = ? AND epoch = ?');
    this.#store = database.command('UPDATE contents SET size = ?, last_used = max(last_used, ?) WHERE id = ?');
    this.#forget = database.command('UPDATE contents SET size = NULL, last_used = 0 WHERE id = ?');
    this.#list = database.query(`
      SELECT digest, size FROM contents WHERE digest > ? AND size IS NOT NULL ORDER BY digest LIMIT ?
    `);
  }

  async standing(repository: RepositoryKey, digest: Digest): Promise<'member' | 'public' | 'none'> {
    const id = this.#parts.repositories.find(repository);
    const encoded = encodeDigest(digest);
    if (id !== undefined && this.#isMember.get(id, encoded) !== undefined) return 'member';
    return this.#isPublic.get(encoded) === undefined ? 'none' : 'public';
  }

  async members(digest: Digest): Promise<readonly RepositoryKey[]> {
    return this.#members.all(encodeDigest(digest)).map(keyOf);
  }

  async addMember(repository: RepositoryKey, digest: Digest, atMs: number): Promise<void> {
    const { database, repositories, contents } = this.#parts;
    database.write(() => this.#addMember(contents.ensure(digest), repositories.ensure(repository), atMs));
  }

  async stored(digest: Digest): Promise<number | undefined> {
    return this.#stored.get(encodeDigest(digest))?.size;
  }

  async store(digest: Digest, size: number, lease: Lease, atMs: number): Promise<boolean> {
    const { database, contents } = this.#parts;
    return database.write(() => {
      if (this.#newest.get(lease.key, lease.epoch) === undefined) return false;
      this.#store(size, atMs, contents.ensure(digest));
      return true;
    });
  }

  async forget(digest: Digest): Promise<void> {
    const { database, contents } = this.#parts;
    database.write(() => {
      const content = contents.find(digest);
      if (content === undefined) return;
      this.#forget(content);
      contents.tidy(content);
    });
  }

  async list(after: Digest | undefined, limit: number): Promise<readonly StoredDigest[]> {
    const start = after === undefined ? new Uint8Array() : encodeDigest(after);
    return this.#list.all(start, limit).map((row) => ({ digest: decodeDigest(row.digest), size: row.size }));
  }
}

interface StoredDigest {
  readonly digest: Digest;
  readonly size: number;
}
