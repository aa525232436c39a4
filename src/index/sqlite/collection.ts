import type { Digest } from '../../oci/digest.ts';
import type { Collected, CollectionIndex, CollectionPage, Index, RemovedManifests } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest, encodeDigest } from './digests.ts';
import type { Dropping } from './dropping.ts';
import type { Removal } from './removal.ts';
import { Unowned } from './unowned.ts';
import { Untagged } from './untagged.ts';

export interface CollectionParts {
  readonly database: Database;
  readonly dropping: Dropping;
  readonly removal: Removal;
  readonly rehearse: () => Promise<Index>;
}

export class SqliteCollection implements CollectionIndex {
  readonly #parts: CollectionParts;
  readonly #choose: Query<ChosenRow>;
  readonly #untagged: Untagged;
  readonly #unowned: Unowned;
  readonly #found: Query<{ id: number; gone: number; nobodys: number }>;
  readonly #leave: (content: number, repository: number) => number;
  readonly #waiting: Query<{ count: number }>;
  readonly #discards: Query<{ digest: Uint8Array }>;
  readonly #discarded: (digest: Uint8Array) => number;

  constructor(parts: CollectionParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#untagged = new Untagged(parts);
    this.#unowned = new Unowned(parts);
    this.#choose = database.query(`
      SELECT added_at, content, repository FROM members
        WHERE (added_at, content, repository) > (?2, ?3, ?4) AND unreferenced = 1 AND added_at < ?1
          AND NOT EXISTS (
            SELECT 1 FROM repositories JOIN uploads ON uploads.name = repositories.name AND uploads.touched_at >= ?1
              WHERE repositories.id = members.repository
          )
        ORDER BY added_at, content, repository LIMIT ?5
    `);
    this.#found = database.query(`
      SELECT id, size IS NULL AS gone, last_used = 0 AND parents = 0 AND hosted = 0
          AND NOT EXISTS (SELECT 1 FROM members WHERE content = contents.id) AS nobodys
        FROM contents WHERE digest = ?
    `);
    this.#leave = database.command('DELETE FROM members WHERE content = ? AND repository = ?');
    this.#waiting = database.query('SELECT count(*) AS count FROM members WHERE unreferenced = 1 AND added_at >= ?');
    this.#discards = database.query('SELECT digest FROM discards WHERE digest > ? ORDER BY digest LIMIT ?');
    this.#discarded = database.aside('DELETE FROM discards WHERE digest = ?');
  }

  async collect(beforeMs: number, page: CollectionPage): Promise<Collected> {
    const { database } = this.#parts;
    const collected = database.write(() => {
      if (page.after?.startsWith(unownedPages) !== true) return this.#collectUnreferenced(beforeMs, page);
      const after = page.after.slice(unownedPages.length) || undefined;
      const { next, blobs } = this.#unowned.collect(beforeMs, { ...page, after });
      return { next: next && `${unownedPages}${next}`, blobs };
    });
    // A file must not be gone while a power cut could bring back what refers to it.
    if (collected.blobs.length > 0) await database.durable();
    return collected;
  }

  async removeUntagged(beforeMs: number, page: CollectionPage): Promise<RemovedManifests> {
    const { database } = this.#parts;
    const removed = database.write(() => this.#untagged.remove(beforeMs, page));
    if (removed.manifests > 0) await database.durable();
    return removed;
  }

  async waiting(beforeMs: number): Promise<number> {
    return (this.#waiting.get(beforeMs)?.count ?? 0) + this.#unowned.waiting(beforeMs);
  }

  async discards(after: Digest | undefined, limit: number): Promise<readonly Digest[]> {
    const start = after === undefined ? new Uint8Array() : encodeDigest(after);
    return this.#discards.all(start, limit).map(({ digest }) => decodeDigest(digest));
  }

  async mayDiscard(digest: Digest): Promise<boolean> {
    const { database, dropping } = this.#parts;
    const found = this.#found.get(encodeDigest(digest));
    if (found === undefined || found.gone === 1) return true;
    if (found.nobodys === 0) return false;
    return database.write(() => dropping.evict(found.id) !== undefined);
  }

  async discarded(digest: Digest): Promise<void> {
    this.#discarded(encodeDigest(digest));
  }

  rehearse(): Promise<Index> {
    return this.#parts.rehearse();
  }

  #collectUnreferenced(beforeMs: number, page: CollectionPage): Collected {
    const rows = this.#choose.all(beforeMs, ...positionOf(page.after), page.limit);
    const dropped = rows.map(({ content, repository }) => {
      this.#leave(content, repository);
      return this.#parts.dropping.release(content);
    });
    return { next: endOf(rows, page), blobs: dropped.filter((blob) => blob !== undefined) };
  }
}

/** Pages of what no repository has come after all pages of what one has. */
const unownedPages = 'unowned ';

interface ChosenRow {
  readonly added_at: number;
  readonly content: number;
  readonly repository: number;
}

function positionOf(after: string | undefined): readonly [number, number, number] {
  const [addedAt = -1, content = 0, repository = 0] = (after ?? '').split(' ', after === undefined ? 0 : 3).map(Number);
  return [addedAt, content, repository];
}

function endOf(rows: readonly ChosenRow[], { limit }: CollectionPage): string {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return last === undefined ? unownedPages : `${last.added_at} ${last.content} ${last.repository}`;
}
