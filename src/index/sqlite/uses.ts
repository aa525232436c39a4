import type { Use } from '../contract.ts';
import type { Database, Query } from './database.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';

/**
 * A use reaches at most so many parents of a content, the newest: a base layer that thousands of images of a repository
 * share says little about which of them is used, and each would cost a write.
 */
export const usedParentsMax = 64;

export interface UseParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
}

/** Writes down when things were last used. Times only grow. */
export class Uses {
  readonly #parts: UseParts;
  readonly #content: (atMs: number, content: number, before: number) => number;
  readonly #manifest: (atMs: number, repository: number, manifest: number, before: number) => number;
  readonly #parents: Query<{ parent: number }>;

  constructor(parts: UseParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#content = database.aside(
      'UPDATE contents SET last_used = ? WHERE id = ? AND last_used < ? AND size IS NOT NULL',
    );
    this.#manifest = database.aside(
      'UPDATE held SET last_used = ? WHERE repository = ? AND manifest = ? AND last_used < ?',
    );
    this.#parents = database.query(`
      SELECT parent FROM refs WHERE child = ? AND repository = ? ORDER BY parent DESC LIMIT ${usedParentsMax}
    `);
  }

  /** Inside a write. Uses of what is not known are ignored. */
  note(uses: readonly Use[]): void {
    for (const { repository, digest, atMs } of uses) {
      const content = this.#parts.contents.find(digest);
      if (content === undefined) continue;
      this.#content(atMs, content, atMs);
      const id = this.#parts.repositories.find(repository);
      if (id !== undefined) this.#noteUpwards(id, content, atMs);
    }
  }

  #noteUpwards(repository: number, content: number, atMs: number): void {
    const due = [content];
    const seen = new Set(due);
    for (let each = due.pop(); each !== undefined; each = due.pop()) {
      this.#manifest(atMs, repository, each, atMs);
      for (const { parent } of this.#parents.all(each, repository)) {
        if (!seen.has(parent)) due.push(parent);
        seen.add(parent);
      }
    }
  }
}
