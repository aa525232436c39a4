import type { Collected, CollectionPage } from '../contract.ts';
import type { Database, Query } from './database.ts';
import type { Dropping } from './dropping.ts';

export interface UnownedParts {
  readonly database: Database;
  readonly dropping: Dropping;
}

/** Nobody has earned it, nothing refers to it, and it is no manifest. */
const isNobodys = `
  NOT EXISTS (SELECT 1 FROM members WHERE content = contents.id)
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE content = contents.id)
`;

/**
 * What rests in the store and belongs to nobody: a push or a download that ended before it was indexed, the content of
 * links that somebody has deleted. Such rows are loose, like those that only the cache has.
 */
export class Unowned {
  readonly #parts: UnownedParts;
  readonly #page: Query<LookedAt>;
  readonly #waiting: Query<{ count: number }>;

  constructor(parts: UnownedParts) {
    this.#parts = parts;
    const { database } = parts;
    // A page is of rows looked at, however few of them are chosen: it takes the same time whatever they are.
    this.#page = database.query(`
      SELECT id, last_used, ${isNobodys} AS chosen FROM contents
        WHERE size IS NOT NULL AND parents = 0 AND hosted = 0 AND (last_used, id) > (?2, ?3) AND last_used < ?1
        ORDER BY last_used, id LIMIT ?4
    `);
    this.#waiting = database.query(`
      SELECT count(*) AS count FROM contents
        WHERE size IS NOT NULL AND parents = 0 AND hosted = 0 AND last_used >= ? AND ${isNobodys}
    `);
  }

  /** Inside a write. */
  collect(beforeMs: number, { after, limit }: CollectionPage): Collected {
    const [lastUsed = -1, content = 0] = after?.split(' ').map(Number) ?? [];
    const rows = this.#page.all(beforeMs, lastUsed, content, limit);
    const chosen = rows.filter((row) => row.chosen === 1);
    const dropped = chosen.map(({ id }) => this.#parts.dropping.evict(id));
    const last = rows.length < limit ? undefined : rows.at(-1);
    return { next: last && `${last.last_used} ${last.id}`, blobs: dropped.filter((blob) => blob !== undefined) };
  }

  /** How many are younger. */
  waiting(beforeMs: number): number {
    return this.#waiting.get(beforeMs)?.count ?? 0;
  }
}

interface LookedAt {
  readonly id: number;
  readonly last_used: number;
  readonly chosen: number;
}
