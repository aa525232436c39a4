import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Candidate, KeepingIndex, Use } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import { Eviction } from './eviction.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import { compilePin } from './pins.ts';
import type { Removal } from './removal.ts';
import type { Standing } from './standing.ts';
import { Uses } from './uses.ts';

/** Pins that may be set, and their length in characters. */
export const pinsMax = 1_000;
export const pinCharactersMax = 512;

export interface KeepingParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly standing: Standing;
  readonly removal: Removal;
}

export class SqliteKeeping implements KeepingIndex {
  readonly #parts: KeepingParts;
  readonly #uses: Uses;
  readonly #eviction: Eviction;
  readonly #heldBytes: Query<{ held_bytes: number }>;
  readonly #pin: (pattern: string) => number;
  readonly #unpin: (pattern: string) => number;
  readonly #pins: Query<{ pattern: string }>;
  readonly #tagged: Query<NamedRow>;
  readonly #digests: Query<NamedRow>;

  constructor(parts: KeepingParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#uses = new Uses(parts);
    this.#eviction = new Eviction(parts);
    this.#heldBytes = database.query('SELECT held_bytes FROM totals');
    this.#pin = database.command('INSERT INTO pins (pattern) VALUES (?) ON CONFLICT DO NOTHING');
    this.#unpin = database.command('DELETE FROM pins WHERE pattern = ?');
    this.#pins = database.query('SELECT pattern FROM pins ORDER BY pattern');
    this.#tagged = database.query(`
      SELECT tags.repository, tags.manifest, repositories.display, tags.name FROM repositories
        JOIN tags ON tags.repository = repositories.id AND tags.manifest IS NOT NULL
        WHERE repositories.manifests > 0 AND repositories.display >= ? AND repositories.display < ?
    `);
    this.#digests = database.query(`
      SELECT held.repository, held.manifest, repositories.display, contents.digest AS name FROM repositories
        JOIN held ON held.repository = repositories.id JOIN contents ON contents.id = held.manifest
        WHERE repositories.manifests > 0 AND repositories.display >= ? AND repositories.display < ?
    `);
  }

  async heldBytes(): Promise<number> {
    return this.#heldBytes.get()?.held_bytes ?? 0;
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

  async pin(pattern: string): Promise<void> {
    if (pattern.length === 0 || pattern.length > pinCharactersMax)
      refuse(`a pin has 1 to ${pinCharactersMax} characters`);
    this.#parts.database.write(() => {
      if (this.#pin(pattern) === 0) return;
      if (this.#pins.all().length > pinsMax)
        refuse(`there are ${pinsMax} pins already: unpin something, or use a wider pattern`);
      this.#settleMatching(pattern);
    });
  }

  async unpin(pattern: string): Promise<boolean> {
    return this.#parts.database.write(() => {
      if (this.#unpin(pattern) === 0) return false;
      this.#settleMatching(pattern);
      return true;
    });
  }

  async pins(): Promise<readonly string[]> {
    return this.#pins.all().map(({ pattern }) => pattern);
  }

  #settleMatching(pattern: string): void {
    const pin = compilePin(pattern);
    const names = pin.kind === 'tag' ? this.#tagged : this.#digests;
    const due = new Map<number, number[]>();
    for (const { repository, manifest, display, name } of names.all(pin.displayFrom, pin.displayTo)) {
      if (!pin.matches(display, typeof name === 'string' ? name : decodeDigest(name))) continue;
      const manifests = due.get(repository);
      if (manifests === undefined) due.set(repository, [manifest]);
      else manifests.push(manifest);
    }
    for (const [repository, manifests] of due) this.#parts.standing.settle(repository, manifests);
  }
}

interface NamedRow {
  readonly repository: number;
  readonly manifest: number;
  readonly display: string;
  /** A tag, or an encoded digest. */
  readonly name: string | Uint8Array;
}

function refuse(why: string): never {
  throw new RegistryError('REQUEST_INVALID', why, { origin: 'operator' });
}
