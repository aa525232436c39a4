import type { Database, Query } from './database.ts';
import type { ContentIds } from './identities.ts';
import type { Standing } from './standing.ts';

/** A repository stops holding a manifest: one idea for a client's delete and for eviction. */
export class Removal {
  readonly #contents: ContentIds;
  readonly #standing: Standing;
  readonly #children: Query<{ child: number }>;
  readonly #release: (repository: number, manifest: number) => number;
  readonly #forget: Query<{ subject: number | null }>;

  constructor(database: Database, contents: ContentIds, standing: Standing) {
    this.#contents = contents;
    this.#standing = standing;
    this.#children = database.query('SELECT child FROM refs WHERE repository = ? AND parent = ?');
    this.#release = database.command('DELETE FROM held WHERE repository = ? AND manifest = ?');
    this.#forget = database.query(`
      DELETE FROM manifests WHERE content = ?1 AND NOT EXISTS (SELECT 1 FROM held WHERE manifest = ?1) RETURNING subject
    `);
  }

  /**
   * Also its tags there, and its bytes when no other repository holds it; inside a write. Returns what it referred to,
   * for the caller to tidy, or `undefined` when it was not held.
   */
  remove(repository: number, manifest: number): readonly number[] | undefined {
    const children = this.#children.all(repository, manifest).map(({ child }) => child);
    if (this.#release(repository, manifest) === 0) return undefined;
    const forgotten = this.#forget.get(manifest);
    if (forgotten !== undefined) {
      if (forgotten.subject !== null) this.#contents.tidy(forgotten.subject);
      this.#contents.tidy(manifest);
    }
    this.#standing.settle(repository, children);
    return children;
  }
}
