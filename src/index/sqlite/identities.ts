import type { Digest } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/reference.ts';
import type { RepositoryKey } from '../../oci/repository.ts';
import type { Database, Query } from './database.ts';
import { encodeDigest } from './digests.ts';

/** Repositories whose ids are remembered; the oldest are dropped above it. */
const rememberedMax = 10_000;

/** From a repository to its row. Rows are never deleted, so an id stays true, in every process. */
export class RepositoryIds {
  readonly #remembered = new Map<string, number>();
  readonly #find: Query<{ id: number }>;
  readonly #add: (upstream: string, name: string, display: string) => number;

  constructor(database: Database) {
    this.#find = database.query('SELECT id FROM repositories WHERE upstream = ? AND name = ?');
    this.#add = database.command('INSERT INTO repositories (upstream, name, display) VALUES (?, ?, ?)');
    database.onRollback(() => this.#remembered.clear());
  }

  find(key: RepositoryKey): number | undefined {
    const remembered = this.#remembered.get(nameOf(key));
    if (remembered !== undefined) return remembered;
    const id = this.#find.get(key.upstream ?? '', key.name)?.id;
    if (id !== undefined) this.#remember(nameOf(key), id);
    return id;
  }

  /** Makes the row if need be; inside a write. */
  ensure(key: RepositoryKey): number {
    const found = this.find(key);
    if (found !== undefined) return found;
    this.#add(key.upstream ?? '', key.name, displayOf(key));
    return this.find(key) ?? missing();
  }

  #remember(name: string, id: number): void {
    if (this.#remembered.size >= rememberedMax) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest);
        break;
      }
    }
    this.#remembered.set(name, id);
  }
}

/** From a digest to its row in `contents`. Rows come and go: an id holds within one transaction only. */
export class ContentIds {
  readonly #find: Query<{ id: number }>;
  readonly #add: Query<{ id: number }>;
  readonly #tidy: (id: number) => number;

  constructor(database: Database) {
    this.#find = database.query('SELECT id FROM contents WHERE digest = ?');
    this.#add = database.query('INSERT INTO contents (digest) VALUES (?) RETURNING id');
    this.#tidy = database.command(`
      DELETE FROM contents WHERE id = ? AND size IS NULL AND parents = 0
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE content = contents.id)
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE subject = contents.id)
        AND NOT EXISTS (SELECT 1 FROM members WHERE content = contents.id)
    `);
  }

  find(digest: Digest): number | undefined {
    return this.#find.get(encodeDigest(digest))?.id;
  }

  /** Makes the row if need be; inside a write. */
  ensure(digest: Digest): number {
    const encoded = encodeDigest(digest);
    return this.#find.get(encoded)?.id ?? this.#add.get(encoded)?.id ?? missing();
  }

  /** Deletes the row if nothing mentions the digest any more; inside a write. */
  tidy(id: number): void {
    this.#tidy(id);
  }
}

/** What people read and what listings are ordered by. */
export function displayOf(key: RepositoryKey): string {
  return key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
}

export function keyOf(row: { readonly upstream: string; readonly name: string }): RepositoryKey {
  return { upstream: row.upstream === '' ? undefined : row.upstream, name: row.name as RepositoryName };
}

function nameOf(key: RepositoryKey): string {
  return key.upstream === undefined ? key.name : `${key.upstream}\0${key.name}`;
}

function missing(): never {
  throw new Error('a row that was just written is not there');
}
