import type { Digest } from '../../oci/digest.ts';
import { isDigest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Page, PageRequest, RepositoryKey } from '../../oci/repository.ts';
import type { ImageRow, IndexStatistics, RepositoryIndex, RepositoryRow, Visibility } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest, encodeDigest } from './digests.ts';
import { keyOf } from './identities.ts';
import type { RepositoryIds } from './identities.ts';
import { pageOf } from './page.ts';

export interface RepositoryParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
}

export class SqliteRepositories implements RepositoryIndex {
  readonly #parts: RepositoryParts;
  readonly #images: Images;
  readonly #list: Query<ListRow>;
  readonly #manifests: Query<{ digest: Uint8Array }>;
  readonly #visibility: Query<VisibilityRow>;
  readonly #setVisibility: (isPublic: number, checkedAtMs: number, repository: number) => number;
  readonly #statistics: Query<StatisticsRow>;

  constructor(parts: RepositoryParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#images = new Images(database);
    this.#list = database.query(`
      SELECT upstream, name, display, public, checked_at FROM repositories
        WHERE manifests > 0 AND display > ? ORDER BY display, id LIMIT ?
    `);
    this.#manifests = database.query(`
      SELECT digest FROM held JOIN contents ON contents.id = held.manifest WHERE held.repository = ? LIMIT ?
    `);
    this.#visibility = database.query('SELECT public, checked_at FROM repositories WHERE id = ?');
    this.#setVisibility = database.command('UPDATE repositories SET public = ?, checked_at = ? WHERE id = ?');
    this.#statistics = database.query('SELECT repositories, manifests, tags, blobs, stored_bytes FROM totals');
  }

  async list(page: PageRequest): Promise<Page<RepositoryRow>> {
    const rows = this.#list.all(page.last ?? '', page.limit + 1);
    const item = (row: ListRow): RepositoryRow => ({ key: keyOf(row), visibility: visibilityOf(row) });
    return pageOf(rows, page.limit, ({ display }) => display, item);
  }

  async images(page: PageRequest, prefix: string): Promise<Page<ImageRow>> {
    return this.#parts.database.read(() => this.#images.page(page, prefix));
  }

  async manifests(repository: RepositoryKey, limit: number): Promise<readonly Digest[]> {
    const id = this.#parts.repositories.find(repository);
    return id === undefined ? [] : this.#manifests.all(id, limit).map(({ digest }) => decodeDigest(digest));
  }

  async visibility(repository: RepositoryKey): Promise<Visibility | undefined> {
    const id = this.#parts.repositories.find(repository);
    const row = id === undefined ? undefined : this.#visibility.get(id);
    return row && visibilityOf(row);
  }

  async setVisibility(repository: RepositoryKey, visibility: Visibility): Promise<void> {
    const { database, repositories } = this.#parts;
    database.write(() => {
      this.#setVisibility(visibility.public ? 1 : 0, visibility.checkedAtMs, repositories.ensure(repository));
    });
  }

  async statistics(): Promise<IndexStatistics> {
    const row = this.#statistics.get();
    if (row === undefined) throw new Error('the row of totals is missing');
    const { repositories, manifests, tags, blobs } = row;
    return { repositories, manifests, tags, blobs, heldBytes: row.stored_bytes };
  }
}

function visibilityOf(row: VisibilityRow): Visibility | undefined {
  return row.public === null ? undefined : { public: row.public === 1, checkedAtMs: row.checked_at ?? 0 };
}

interface VisibilityRow {
  readonly public: number | null;
  readonly checked_at: number | null;
}

interface ListRow extends VisibilityRow {
  readonly upstream: string;
  readonly name: string;
  readonly display: string;
}

interface StatisticsRow {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly stored_bytes: number;
}

/** Held manifests by the displayed name of their repository, then by digest. A page ends with `name@digest`. */
class Images {
  readonly #page: Query<ImageColumns>;
  readonly #tags: Query<{ name: Tag }>;
  readonly #bytes: Query<{ described: number | null; held: number | null }>;

  constructor(database: Database) {
    // The order of joins is forced (CROSS): from repositories in their order to what each holds.
    this.#page = database.query(`
      SELECT repository, page.manifest, upstream, name, display, digest, media_type, stored_at, last_used, pinned, gone
        FROM (
          SELECT held.repository, held.manifest, upstream, name, display, digest, stored_at, held.last_used, pinned,
              gone_itself AS gone
            FROM repositories CROSS JOIN held ON held.repository = repositories.id
            CROSS JOIN contents ON contents.id = held.manifest
            WHERE repositories.manifests > 0 AND display >= ?1 AND display < ?2 AND (display > ?3 OR digest > ?4)
            ORDER BY display, digest LIMIT ?5
        ) AS page CROSS JOIN manifests ON manifests.content = page.manifest
        ORDER BY display, digest, repository
    `);
    this.#tags = database.query('SELECT name FROM tags WHERE repository = ? AND manifest = ? ORDER BY name');
    this.#bytes = database.query(`
      WITH RECURSIVE reached (child, size) AS (
        SELECT child, size FROM refs WHERE repository = ?1 AND parent = ?2
        UNION SELECT refs.child, refs.size FROM reached
          CROSS JOIN refs ON refs.repository = ?1 AND refs.parent = reached.child
      ), children (child, size) AS (SELECT child, max(size) FROM reached GROUP BY child)
      SELECT sum(children.size) AS described, sum(coalesce(contents.size, (
          SELECT length(manifests.bytes) FROM held JOIN manifests ON manifests.content = held.manifest
            WHERE held.repository = ?1 AND held.manifest = child
        ))) AS held
        FROM children JOIN contents ON contents.id = child
    `);
  }

  page(page: PageRequest, prefix: string): Page<ImageRow> {
    const after = cursor(page.last);
    const from = after.display > prefix ? after.display : prefix;
    const rows = this.#page.all(from, `${prefix}\u{10ffff}`, after.display, after.digest, page.limit + 1);
    const name = (row: ImageColumns): string => `${row.display}@${decodeDigest(row.digest)}`;
    return pageOf(rows, page.limit, name, (row) => this.#row(row));
  }

  #row(row: ImageColumns): ImageRow {
    const bytes = this.#bytes.get(row.repository, row.manifest);
    return {
      key: keyOf(row),
      digest: decodeDigest(row.digest),
      mediaType: row.media_type,
      tags: this.#tags.all(row.repository, row.manifest).map(({ name }) => name),
      describedBytes: bytes?.described ?? 0,
      heldBytes: bytes?.held ?? 0,
      storedAtMs: row.stored_at,
      lastUsedMs: row.last_used,
      pinned: row.pinned === 1,
      gone: row.gone === 1,
    };
  }
}

function cursor(last: string | undefined): { readonly display: string; readonly digest: Uint8Array } {
  const at = last?.lastIndexOf('@') ?? -1;
  const digest = last?.slice(at + 1) ?? '';
  if (last === undefined || at < 0 || !isDigest(digest)) return { display: last ?? '', digest: new Uint8Array() };
  return { display: last.slice(0, at), digest: encodeDigest(digest) };
}

interface ImageColumns {
  readonly repository: number;
  readonly manifest: number;
  readonly upstream: string;
  readonly name: string;
  readonly display: string;
  readonly digest: Uint8Array;
  readonly media_type: string;
  readonly stored_at: number;
  readonly last_used: number;
  readonly pinned: number;
  readonly gone: number;
}
