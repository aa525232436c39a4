import type { CollectionPage, RemovedManifests } from '../contract.ts';
import type { Database, Query } from './database.ts';
import type { Dropping } from './dropping.ts';
import type { Removal } from './removal.ts';

export interface UntaggedParts {
  readonly database: Database;
  readonly dropping: Dropping;
  readonly removal: Removal;
}

/** Manifests of hosted repositories that nothing leads to any more. */
export class Untagged {
  readonly #parts: UntaggedParts;
  readonly #page: Query<LookedAt>;

  constructor(parts: UntaggedParts) {
    this.#parts = parts;
    // A page is of rows looked at, however few of them are chosen: it takes the same time whatever they are.
    this.#page = parts.database.query(`
      SELECT repository, manifest, last_used < ?1
          AND NOT EXISTS (SELECT 1 FROM tags WHERE repository = page.repository AND manifest = page.manifest)
          AND NOT EXISTS (SELECT 1 FROM refs WHERE child = page.manifest AND repository = page.repository)
          AND NOT EXISTS (
            SELECT 1 FROM manifests JOIN held AS subject ON subject.manifest = manifests.subject
              WHERE manifests.content = page.manifest AND subject.repository = page.repository
          ) AS chosen
        FROM (
          SELECT repository, manifest, last_used FROM held
            WHERE hosted = 1 AND (repository, manifest) > (?2, ?3) ORDER BY repository, manifest LIMIT ?4
        ) AS page
    `);
  }

  /** Inside a write. */
  remove(beforeMs: number, { after, limit }: CollectionPage): RemovedManifests {
    const [repository = 0, manifest = 0] = after?.split(' ').map(Number) ?? [];
    const rows = this.#page.all(beforeMs, repository, manifest, limit);
    const chosen = rows.filter((row) => row.chosen === 1);
    for (const row of chosen) this.#remove(row);
    const last = rows.length < limit ? undefined : rows.at(-1);
    return { next: last && `${last.repository} ${last.manifest}`, manifests: chosen.length };
  }

  #remove({ repository, manifest }: LookedAt): void {
    const { removal, dropping } = this.#parts;
    for (const child of removal.remove(repository, manifest) ?? []) dropping.release(child);
    dropping.release(manifest);
  }
}

interface LookedAt {
  readonly repository: number;
  readonly manifest: number;
  readonly chosen: number;
}
