import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Candidate, KeepingIndex, Use } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import { keyOf } from './identities.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import type { Removal } from './removal.ts';
import { digestName, matches, tagName } from './standing.ts';
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
  readonly #tagged: Query<{ repository: number; manifest: number; display: string; name: string }>;
  readonly #digests: Query<{ repository: number; manifest: number; display: string; digest: Uint8Array }>;

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
        JOIN tags ON tags.repository = repositories.id WHERE repositories.display >= ? AND repositories.display < ?
    `);
    this.#digests = database.query(`
      SELECT held.repository, held.manifest, repositories.display, contents.digest FROM repositories
        JOIN held ON held.repository = repositories.id JOIN contents ON contents.id = held.manifest
        WHERE repositories.display >= ? AND repositories.display < ?
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
    const [from, to] = displayRange(pattern);
    const due = new Map<number, Set<number>>();
    const add = (repository: number, manifest: number): void => {
      const manifests = due.get(repository) ?? new Set();
      due.set(repository, manifests.add(manifest));
    };
    for (const { repository, manifest, display, name } of this.#tagged.all(from, to)) {
      if (matches(pattern, tagName(display, name))) add(repository, manifest);
    }
    if (pattern.includes('@') || pattern.includes('**')) {
      for (const { repository, manifest, display, digest } of this.#digests.all(from, to)) {
        if (matches(pattern, digestName(display, decodeDigest(digest)))) add(repository, manifest);
      }
    }
    for (const [repository, manifests] of due) this.#parts.standing.settle(repository, manifests);
  }
}

/** Names of repositories that a pin can match at all, as a range of texts: those that share its literal beginning. */
function displayRange(pattern: string): readonly [from: string, to: string] {
  const literal = /^[a-z0-9._/-]*/.exec(pattern)?.[0] ?? '';
  return [literal.slice(0, 1) === '.' ? '' : literal, `${literal}\u{10ffff}`];
}

function refuse(why: string): never {
  throw new RegistryError('REQUEST_INVALID', why, { origin: 'operator' });
}

class Eviction {
  readonly #parts: KeepingParts;
  readonly #manifests: Query<ManifestRow>;
  readonly #blobs: Query<{ digest: Uint8Array; last_used: number }>;
  readonly #standing: Query<{ pinned: number; last_used: number }>;
  readonly #drop: Query<{ digest: Uint8Array }>;
  readonly #loose: Query<unknown>;
  readonly #dropMembers: (content: number) => number;

  constructor(parts: KeepingParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#manifests = database.query(`
      SELECT repositories.upstream, repositories.name, contents.digest, held.last_used, held.gone FROM held
        JOIN repositories ON repositories.id = held.repository JOIN contents ON contents.id = held.manifest
        WHERE held.hosted = 0 AND held.pinned = 0
        ORDER BY held.gone, held.last_used, held.manifest DESC LIMIT ?
    `);
    this.#blobs = database.query(`
      SELECT digest, last_used FROM contents WHERE size IS NOT NULL AND parents = 0 AND hosted = 0 ORDER BY last_used LIMIT ?
    `);
    this.#standing = database.query('SELECT pinned, last_used FROM held WHERE repository = ? AND manifest = ?');
    this.#loose = database.query('SELECT 1 FROM contents WHERE id = ? AND parents = 0 AND hosted = 0');
    this.#drop = database.query('UPDATE contents SET size = NULL WHERE id = ? AND size IS NOT NULL RETURNING digest');
    this.#dropMembers = database.command('DELETE FROM members WHERE content = ?');
  }

  candidates(limit: number): readonly Candidate[] {
    const manifests = this.#manifests.all(limit).map((row) => ({
      repository: keyOf(row),
      manifest: decodeDigest(row.digest),
      blob: undefined,
      lastUsedMs: row.last_used,
      gone: row.gone === 1,
      chosen: true as const,
    }));
    const blobs = this.#blobs.all(limit).map((row) => ({
      repository: undefined,
      manifest: undefined,
      blob: decodeDigest(row.digest),
      lastUsedMs: row.last_used,
      gone: false,
      chosen: true as const,
    }));
    const order = (one: Candidate, other: Candidate): number =>
      Number(one.gone) - Number(other.gone) || one.lastUsedMs - other.lastUsedMs;
    return [...manifests, ...blobs].sort(order).slice(0, limit);
  }

  evict(candidate: Candidate): readonly Digest[] {
    const { repositories, contents, removal } = this.#parts;
    if (candidate.blob !== undefined) {
      const blob = contents.find(candidate.blob);
      return blob === undefined ? [] : this.#drops([blob]);
    }
    if (candidate.repository === undefined || candidate.manifest === undefined) return [];
    const [repository, manifest] = [repositories.find(candidate.repository), contents.find(candidate.manifest)];
    if (repository === undefined || manifest === undefined) return [];
    const now = this.#standing.get(repository, manifest);
    if (candidate.chosen && (now?.pinned === 1 || (now?.last_used ?? 0) > candidate.lastUsedMs)) return [];
    return this.#drops(removal.remove(repository, manifest) ?? []);
  }

  /** Memberships go with the content: they are earned again when it is fetched again, and nothing may grow for ever. */
  #drops(ids: readonly number[]): readonly Digest[] {
    const dropped: Digest[] = [];
    for (const id of ids) {
      if (this.#loose.get(id) !== undefined) {
        const row = this.#drop.get(id);
        if (row !== undefined) dropped.push(decodeDigest(row.digest));
        this.#dropMembers(id);
      }
      this.#parts.contents.tidy(id);
    }
    return dropped;
  }
}

interface ManifestRow {
  readonly upstream: string;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly last_used: number;
  readonly gone: number;
}
