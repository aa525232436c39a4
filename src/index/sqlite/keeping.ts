import type { Digest } from '../../oci/digest.ts';
import type { Candidate, KeepingIndex, Use } from '../contract.ts';
import type { Database, Query } from './database.ts';
import type { Dropping } from './dropping.ts';
import { Eviction } from './eviction.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import type { Removal } from './removal.ts';
import { Uses } from './uses.ts';

export interface KeepingParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly removal: Removal;
  readonly dropping: Dropping;
}

export class SqliteKeeping implements KeepingIndex {
  readonly #parts: KeepingParts;
  readonly #uses: Uses;
  readonly #eviction: Eviction;
  readonly #cachedBytes: Query<{ held_bytes: number }>;

  constructor(parts: KeepingParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#uses = new Uses(parts);
    this.#eviction = new Eviction(parts);
    this.#cachedBytes = database.query('SELECT held_bytes FROM totals');
  }

  async cachedBytes(): Promise<number> {
    return this.#cachedBytes.get()?.held_bytes ?? 0;
  }

  async touch(uses: readonly Use[]): Promise<void> {
    if (uses.length > 0) this.#parts.database.write(() => this.#uses.note(uses));
  }

  async candidates(limit: number): Promise<readonly Candidate[]> {
    return this.#parts.database.read(() => this.#eviction.candidates(limit));
  }

  async evict(candidate: Candidate): Promise<readonly Digest[]> {
    return this.#parts.database.write(() => this.#eviction.evict(candidate));
  }
}
