import type { SQLInputValue } from 'node:sqlite';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Descriptor } from '../../oci/manifest.ts';
import type { Page, PageRequest, RepositoryKey } from '../../oci/repository.ts';
import type { HeldTag, TagIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest, encodeDigest } from './digests.ts';
import { displayOf } from './identities.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import { Memo } from './memo.ts';
import { pageOf } from './page.ts';
import type { Standing } from './standing.ts';

export interface TagParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly standing: Standing;
}

export class SqliteTags implements TagIndex {
  readonly #parts: TagParts;
  readonly #find: Query<TagRow>;
  readonly #found: Memo<HeldTag>;
  readonly #target: Query<{ manifest: number | null }>;
  readonly #held: Query<unknown>;
  readonly #point: (repository: number, tag: string, manifest: number, atMs: number) => number;
  readonly #see: (repository: number, tag: string, ...seen: readonly SQLInputValue[]) => number;
  readonly #confirm: (atMs: number, repository: number, tag: string) => number;
  readonly #expire: (repository: number, tag: string) => number;
  readonly #list: Query<{ name: Tag }>;
  readonly #remove: (repository: number, tag: string) => number;

  constructor(parts: TagParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#found = new Memo(database);
    this.#find = database.query(`
      SELECT contents.digest, tags.checked_at, seen, seen_size, seen_media_type, seen_at
        FROM tags LEFT JOIN contents ON contents.id = tags.manifest WHERE tags.repository = ? AND tags.name = ?
    `);
    this.#target = database.query('SELECT manifest FROM tags WHERE repository = ? AND name = ?');
    this.#held = database.query('SELECT 1 FROM held WHERE repository = ? AND manifest = ?');
    this.#point = database.command(`
      INSERT INTO tags (repository, name, manifest, checked_at) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET manifest = excluded.manifest, checked_at = excluded.checked_at, ${forgetSeen}
    `);
    this.#see = database.command(`
      INSERT INTO tags (repository, name, checked_at, seen, seen_size, seen_media_type, seen_at) VALUES (?, ?, 0, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET seen = excluded.seen, seen_size = excluded.seen_size,
          seen_media_type = excluded.seen_media_type, seen_at = excluded.seen_at
    `);
    this.#confirm = database.command(`
      UPDATE tags SET checked_at = ?, ${forgetSeen} WHERE repository = ? AND name = ? AND manifest IS NOT NULL
    `);
    this.#expire = database.command(`
      UPDATE tags SET checked_at = 0, seen_at = iif(seen IS NULL, NULL, 0) WHERE repository = ? AND name = ?
    `);
    this.#list = database.query(`
      SELECT name FROM tags WHERE repository = ? AND name > ? AND manifest IS NOT NULL ORDER BY name LIMIT ?
    `);
    this.#remove = database.command('DELETE FROM tags WHERE repository = ? AND name = ?');
  }

  async find(repository: RepositoryKey, tag: Tag): Promise<HeldTag | undefined> {
    const id = this.#parts.repositories.find(repository);
    if (id === undefined) return undefined;
    return this.#found.recall(`${id} ${tag}`, () => {
      const row = this.#find.get(id, tag);
      return row && heldTag(row);
    });
  }

  async see(repository: RepositoryKey, tag: Tag, descriptor: Descriptor, atMs: number): Promise<void> {
    const { database, repositories } = this.#parts;
    const { digest, size, mediaType } = descriptor;
    database.write(() => {
      const id = repositories.ensure(repository);
      // Another process may have come to hold it since the caller looked: then nothing would ever move the tag.
      if (!this.#pointIfHeld(id, tag, digest, atMs)) this.#see(id, tag, encodeDigest(digest), size, mediaType, atMs);
    });
  }

  async point(repository: RepositoryKey, tag: Tag, digest: Digest, atMs: number): Promise<void> {
    const { database, repositories } = this.#parts;
    database.write(() => {
      const id = repositories.find(repository);
      if (id !== undefined && this.#pointIfHeld(id, tag, digest, atMs)) return;
      const why = `${displayOf(repository)} does not hold ${digest}`;
      throw new RegistryError('MANIFEST_UNKNOWN', why, { origin: 'entrepot' });
    });
  }

  async confirm(repository: RepositoryKey, tag: Tag, atMs: number): Promise<void> {
    const id = this.#parts.repositories.find(repository);
    if (id === undefined) return;
    if (atMs === 0) this.#expire(id, tag);
    else this.#confirm(atMs, id, tag);
  }

  async list(repository: RepositoryKey, page: PageRequest): Promise<Page<Tag>> {
    const id = this.#parts.repositories.find(repository);
    const rows = id === undefined ? [] : this.#list.all(id, page.last ?? '', page.limit + 1);
    const name = (row: { readonly name: Tag }): Tag => row.name;
    return pageOf(rows, page.limit, name, name);
  }

  async remove(repository: RepositoryKey, tag: Tag): Promise<boolean> {
    const { database, repositories, standing } = this.#parts;
    return database.write(() => {
      const id = repositories.find(repository);
      const target = id === undefined ? undefined : this.#target.get(id, tag);
      if (id === undefined || target === undefined) return false;
      this.#remove(id, tag);
      if (target.manifest !== null) standing.settle(id, [target.manifest]);
      return true;
    });
  }

  #pointIfHeld(repository: number, tag: Tag, digest: Digest, atMs: number): boolean {
    const { contents, standing } = this.#parts;
    const manifest = contents.find(digest);
    if (manifest === undefined || this.#held.get(repository, manifest) === undefined) return false;
    const before = this.#target.get(repository, tag)?.manifest ?? undefined;
    this.#point(repository, tag, manifest, atMs);
    if (before !== manifest) standing.settle(repository, before === undefined ? [manifest] : [before, manifest]);
    return true;
  }
}

const forgetSeen = 'seen = NULL, seen_size = NULL, seen_media_type = NULL, seen_at = NULL';

function heldTag(row: TagRow): HeldTag {
  return {
    digest: row.digest === null ? undefined : decodeDigest(row.digest),
    checkedAtMs: row.checked_at,
    seen:
      row.seen === null
        ? undefined
        : {
            descriptor: {
              digest: decodeDigest(row.seen),
              size: row.seen_size ?? 0,
              mediaType: row.seen_media_type ?? '',
            },
            atMs: row.seen_at ?? 0,
          },
  };
}

interface TagRow {
  readonly digest: Uint8Array | null;
  readonly checked_at: number;
  readonly seen: Uint8Array | null;
  readonly seen_size: number | null;
  readonly seen_media_type: string | null;
  readonly seen_at: number | null;
}

/** Tags that waited for a manifest move to it when it comes to be held. */
export class WaitingTags {
  readonly #move: Query<unknown>;
  readonly #before: Query<{ manifest: number | null }>;

  constructor(database: Database) {
    this.#before = database.query('SELECT manifest FROM tags WHERE repository = ? AND seen = ?');
    this.#move = database.query(`
      UPDATE tags SET manifest = ?, checked_at = seen_at, ${forgetSeen} WHERE repository = ? AND seen = ?
    `);
  }

  /** Inside a write. Returns the manifests that they pointed at before. */
  arrive(repository: number, manifest: number, digest: Digest): readonly number[] {
    const encoded = encodeDigest(digest);
    const before = this.#before.all(repository, encoded);
    if (before.length === 0) return [];
    this.#move.all(manifest, repository, encoded);
    return before.flatMap((row) => (row.manifest === null ? [] : [row.manifest]));
  }
}
