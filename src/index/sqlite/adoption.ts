import type { RepositoryName } from '../../oci/reference.ts';
import type { RepositoryKey } from '../../oci/repository.ts';
import type { AdoptedBlob, AdoptedPart, AdoptionIndex, Lease, LinkStanding } from '../contract.ts';
import type { SqliteClaims } from './claims.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest, encodeDigest } from './digests.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import { ManifestWrites } from './manifests.ts';
import type { Removal } from './removal.ts';
import { relinkEverything } from './schema-outbox.ts';
import type { Standing } from './standing.ts';

export interface AdoptionParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly standing: Standing;
  readonly removal: Removal;
  readonly claims: SqliteClaims;
}

export class SqliteAdoption implements AdoptionIndex {
  readonly #parts: AdoptionParts;
  readonly #rows: AdoptedRows;
  readonly #standing: Query<StandingRow>;
  readonly #hosted: Query<{ name: RepositoryName }>;
  readonly #quietly: (adopting: number) => number;
  readonly #noteFingerprint: (fingerprint: string | null, repository: number) => number;
  readonly #mayBeFound: Query<unknown>;
  readonly #noteFound: (size: number, atMs: number, content: number) => number;

  constructor(parts: AdoptionParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#rows = new AdoptedRows(parts);
    this.#standing = database.query(`
      SELECT fingerprint, changes, EXISTS (SELECT 1 FROM outbox WHERE repository = repositories.id) AS pending
        FROM repositories WHERE id = ?
    `);
    this.#hosted = database.query(`
      SELECT name FROM repositories WHERE upstream = '' AND name > ?
        AND (manifests > 0 OR EXISTS (SELECT 1 FROM members WHERE repository = repositories.id)) ORDER BY name LIMIT ?
    `);
    this.#quietly = database.aside('UPDATE totals SET adopting = ?');
    this.#noteFingerprint = database.aside('UPDATE repositories SET fingerprint = ? WHERE id = ?');
    this.#mayBeFound = database.query(`
      SELECT 1 FROM leases WHERE key = ? AND epoch = ? AND NOT EXISTS (SELECT 1 FROM discards WHERE digest = ?)
    `);
    this.#noteFound = database.command('UPDATE contents SET size = ?, last_used = max(last_used, ?) WHERE id = ?');
  }

  async standing(key: RepositoryKey): Promise<LinkStanding> {
    const repository = this.#parts.repositories.find(key);
    const row = repository === undefined ? undefined : this.#standing.get(repository);
    if (row === undefined) return { known: false, fingerprint: undefined, changes: 0, pending: false };
    const { fingerprint, changes, pending } = row;
    return { known: true, fingerprint: fingerprint ?? undefined, changes, pending: pending === 1 };
  }

  async adopt(key: RepositoryKey, part: AdoptedPart, changes: number, atMs: number): Promise<boolean> {
    const { database, repositories, claims } = this.#parts;
    return database.write(() => {
      const repository = repositories.ensure(key);
      if (this.#standing.get(repository)?.changes !== changes) return false;
      this.#quietly(1);
      this.#rows.add(key, repository, part, atMs);
      if (part.rest !== undefined) {
        if (key.upstream === undefined) this.#rows.keepOnly(repository, part.rest, atMs);
        this.#noteFingerprint(part.rest.fingerprint ?? null, repository);
      }
      if (key.upstream === undefined && part.blobs.length + part.manifests.length > 0) claims.adopt(key.name);
      this.#quietly(0);
      return true;
    });
  }

  async found({ digest, size }: AdoptedBlob, lease: Lease, atMs: number): Promise<boolean> {
    const { database, contents } = this.#parts;
    return database.write(() => {
      if (this.#mayBeFound.get(lease.key, lease.epoch, encodeDigest(digest)) === undefined) return false;
      this.#noteFound(size, atMs, contents.ensure(digest));
      return true;
    });
  }

  async hosted(after: string, limit: number): Promise<readonly RepositoryName[]> {
    return this.#hosted.all(after, limit).map(({ name }) => name);
  }

  async relink(): Promise<void> {
    this.#parts.database.write(() => this.#parts.database.execute(relinkEverything));
  }
}

/** In milliseconds. What was added then is always younger than what is collected. */
const endOfTime = Number.MAX_SAFE_INTEGER;

/** Inside a write. */
class AdoptedRows {
  readonly #parts: AdoptionParts;
  readonly #manifests: ManifestWrites;
  readonly #store: (size: number, content: number) => number;
  readonly #addMember: (content: number, repository: number, atMs: number) => number;
  readonly #dropMember: (content: number, repository: number) => number;
  readonly #touch: (atMs: number, content: number) => number;
  readonly #isHeld: Query<unknown>;
  readonly #target: Query<{ manifest: number | null }>;
  readonly #point: (repository: number, tag: string, manifest: number, atMs: number) => number;
  readonly #untag: (repository: number, tag: string) => number;
  readonly #members: Query<{ id: number; digest: Uint8Array }>;
  readonly #held: Query<{ id: number; digest: Uint8Array }>;
  readonly #tags: Query<{ name: string; manifest: number | null }>;

  constructor(parts: AdoptionParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#manifests = new ManifestWrites(parts);
    this.#store = database.command('UPDATE contents SET size = ?1 WHERE id = ?2 AND size IS NOT ?1');
    this.#addMember = database.command(`
      INSERT INTO members (content, repository, added_at) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET added_at = excluded.added_at WHERE (added_at = ${endOfTime}) <> (excluded.added_at = ${endOfTime})
    `);
    this.#dropMember = database.command('DELETE FROM members WHERE content = ? AND repository = ?');
    this.#touch = database.command(
      'UPDATE contents SET last_used = max(last_used, ?) WHERE id = ? AND size IS NOT NULL',
    );
    this.#isHeld = database.query('SELECT 1 FROM held WHERE repository = ? AND manifest = ?');
    this.#target = database.query('SELECT manifest FROM tags WHERE repository = ? AND name = ?');
    this.#point = database.command(`
      INSERT INTO tags (repository, name, manifest, checked_at) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET manifest = excluded.manifest, checked_at = excluded.checked_at
    `);
    this.#untag = database.command('DELETE FROM tags WHERE repository = ? AND name = ?');
    this.#members = database.query(`
      SELECT id, digest FROM members JOIN contents ON contents.id = members.content WHERE repository = ?
    `);
    this.#held = database.query(`
      SELECT id, digest FROM held JOIN contents ON contents.id = held.manifest WHERE repository = ?
    `);
    this.#tags = database.query('SELECT name, manifest FROM tags WHERE repository = ?');
  }

  add(key: RepositoryKey, repository: number, part: AdoptedPart, atMs: number): void {
    const { contents } = this.#parts;
    for (const { digest, size } of part.blobs) {
      const content = contents.ensure(digest);
      this.#store(size, content);
      this.#addMember(content, repository, part.keepBlobs ? endOfTime : atMs);
    }
    for (const manifest of part.manifests) {
      this.#manifests.put(key, manifest, atMs);
      this.#store(manifest.size, contents.ensure(manifest.digest));
    }
    for (const [tag, digest] of part.tags) {
      const content = contents.find(digest);
      if (content !== undefined) this.#pointTag(key, repository, tag, content, atMs);
    }
  }

  keepOnly(repository: number, rest: NonNullable<AdoptedPart['rest']>, atMs: number): void {
    const { removal, standing } = this.#parts;
    for (const { name, manifest } of this.#tags.all(repository)) {
      if (rest.tags.has(name)) continue;
      this.#untag(repository, name);
      if (manifest !== null) standing.settle(repository, [manifest]);
    }
    for (const { id, digest } of this.#held.all(repository)) {
      if (rest.manifests.has(decodeDigest(digest))) continue;
      for (const each of [...(removal.remove(repository, id) ?? []), id]) this.#letGo(each, atMs);
    }
    for (const { id, digest } of this.#members.all(repository)) {
      if (rest.layers.has(decodeDigest(digest))) continue;
      this.#dropMember(id, repository);
      this.#letGo(id, atMs);
    }
  }

  /** Perhaps it belongs to nobody from now on. */
  #letGo(content: number, atMs: number): void {
    this.#touch(atMs, content);
    this.#parts.contents.tidy(content);
  }

  #pointTag(key: RepositoryKey, repository: number, tag: string, manifest: number, atMs: number): void {
    if (this.#isHeld.get(repository, manifest) === undefined) return;
    const row = this.#target.get(repository, tag);
    // What is known of an upstream's tag is newer than what a cache before this one left.
    if (row !== undefined && (key.upstream !== undefined || row.manifest === manifest)) return;
    this.#point(repository, tag, manifest, key.upstream === undefined ? atMs : 0);
    const before = row?.manifest ?? undefined;
    this.#parts.standing.settle(repository, before === undefined ? [manifest] : [before, manifest]);
  }
}

interface StandingRow {
  readonly fingerprint: string | null;
  readonly changes: number;
  readonly pending: number;
}
