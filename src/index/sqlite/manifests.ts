import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import type { Descriptor, Manifest } from '../../oci/manifest.ts';
import type { Referrer, RepositoryKey } from '../../oci/repository.ts';
import type { HeldManifest, ManifestIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { encodeDigest } from './digests.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import { Memo } from './memo.ts';
import type { Removal } from './removal.ts';
import type { Standing } from './standing.ts';
import { WaitingTags } from './tags.ts';

export interface ManifestParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly standing: Standing;
  readonly removal: Removal;
}

/** Manifests that are asked what they say of one blob; the newest. */
const parentsMax = 8;

export class SqliteManifests implements ManifestIndex {
  readonly #parts: ManifestParts;
  readonly #find: Query<FoundRow>;
  readonly #found: Memo<HeldManifest>;
  readonly #parents: Query<{ media_type: string; bytes: Uint8Array }>;
  readonly #referrers: Query<{ media_type: string; bytes: Uint8Array }>;
  readonly #writes: ManifestWrites;

  constructor(parts: ManifestParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#found = new Memo(database);
    this.#find = database.query(`
      SELECT manifests.media_type, manifests.bytes, held.stored_at FROM contents
        JOIN held ON held.repository = ? AND held.manifest = contents.id
        JOIN manifests ON manifests.content = contents.id WHERE contents.digest = ?
    `);
    this.#parents = database.query(`
      SELECT manifests.media_type, manifests.bytes FROM contents
        JOIN refs ON refs.child = contents.id AND refs.repository = ? JOIN manifests ON manifests.content = refs.parent
        WHERE contents.digest = ? ORDER BY refs.parent DESC LIMIT ${parentsMax}
    `);
    this.#referrers = database.query(`
      SELECT manifests.media_type, manifests.bytes FROM contents AS subject
        JOIN manifests ON manifests.subject = subject.id
        JOIN held ON held.repository = ? AND held.manifest = manifests.content
        JOIN contents ON contents.id = manifests.content
        WHERE subject.digest = ? ORDER BY contents.digest
    `);
    this.#writes = new ManifestWrites(parts);
  }

  async find(repository: RepositoryKey, digest: Digest): Promise<HeldManifest | undefined> {
    const id = this.#parts.repositories.find(repository);
    if (id === undefined) return undefined;
    const read = (): HeldManifest | undefined => {
      const row = this.#find.get(id, encodeDigest(digest));
      if (row === undefined) return undefined;
      const { bytes } = row;
      return { digest, size: bytes.length, mediaType: row.media_type, bytes, storedAtMs: row.stored_at };
    };
    return this.#found.recall(`${id} ${digest}`, read, ({ size }) => size);
  }

  async put(repository: RepositoryKey, manifest: Manifest, atMs: number): Promise<void> {
    this.#parts.database.write(() => this.#writes.put(repository, manifest, atMs));
  }

  async described(repository: RepositoryKey, digest: Digest): Promise<Descriptor | undefined> {
    const id = this.#parts.repositories.find(repository);
    const parents = id === undefined ? [] : this.#parents.all(id, encodeDigest(digest));
    const [first, ...others] = parents.flatMap(({ bytes, media_type }) =>
      parseManifest(bytes, media_type).children.filter((child) => child.digest === digest),
    );
    if (first === undefined || others.some(({ size }) => size !== first.size)) return undefined;
    return { digest, size: first.size, mediaType: first.mediaType };
  }

  async referrers(repository: RepositoryKey, subject: Digest): Promise<readonly Referrer[]> {
    const id = this.#parts.repositories.find(repository);
    if (id === undefined) return [];
    return this.#referrers.all(id, encodeDigest(subject)).map((row) => {
      const { digest, size, mediaType, artifactType, annotations } = parseManifest(row.bytes, row.media_type);
      return { digest, size, mediaType, artifactType, annotations };
    });
  }

  async mark(repository: RepositoryKey, digest: Digest, gone: boolean): Promise<void> {
    this.#parts.database.write(() => this.#writes.mark(repository, digest, gone));
  }

  async remove(repository: RepositoryKey, digest: Digest): Promise<boolean> {
    const { database, repositories, contents, removal } = this.#parts;
    return database.write(() => {
      const [id, manifest] = [repositories.find(repository), contents.find(digest)];
      if (id === undefined || manifest === undefined) return false;
      const removed = removal.remove(id, manifest);
      for (const child of removed ?? []) contents.tidy(child);
      return removed !== undefined;
    });
  }
}

interface FoundRow {
  readonly media_type: string;
  readonly bytes: Uint8Array;
  readonly stored_at: number;
}

/** Inside a write. */
export class ManifestWrites {
  readonly #parts: ManifestParts;
  readonly #addManifest: (content: number, mediaType: string, subject: number | null, bytes: Uint8Array) => number;
  readonly #hold: (repository: number, manifest: number, atMs: number, lastUsedMs: number, hosted: number) => number;
  readonly #refer: (repository: number, parent: number, child: number, size: number) => number;
  readonly #waiting: WaitingTags;
  readonly #mark: (gone: number, repository: number, manifest: number) => number;

  constructor(parts: ManifestParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#addManifest = database.command(`
      INSERT INTO manifests (content, media_type, subject, bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
    `);
    this.#hold = database.command(`
      INSERT INTO held (repository, manifest, stored_at, last_used, hosted) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET last_used = max(last_used, excluded.last_used), gone_itself = 0
    `);
    this.#refer = database.command(`
      INSERT INTO refs (repository, parent, child, size) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
    `);
    this.#waiting = new WaitingTags(database);
    this.#mark = database.command(`
      UPDATE held SET gone_itself = ?1 WHERE repository = ?2 AND manifest = ?3 AND gone_itself <> ?1
    `);
  }

  put(key: RepositoryKey, manifest: Manifest, atMs: number): void {
    const { repositories, contents, standing } = this.#parts;
    const repository = repositories.ensure(key);
    const content = contents.ensure(manifest.digest);
    const subject = manifest.subject === undefined ? null : contents.ensure(manifest.subject);
    this.#addManifest(content, manifest.mediaType, subject, manifest.bytes);
    this.#hold(repository, content, atMs, atMs, key.upstream === undefined ? 1 : 0);
    for (const child of manifest.children) this.#refer(repository, content, contents.ensure(child.digest), child.size);
    standing.settle(repository, [content, ...this.#waiting.arrive(repository, content, manifest.digest)]);
  }

  mark(key: RepositoryKey, digest: Digest, gone: boolean): void {
    const { repositories, contents, standing } = this.#parts;
    const [repository, manifest] = [repositories.find(key), contents.find(digest)];
    if (repository === undefined || manifest === undefined) return;
    if (this.#mark(gone ? 1 : 0, repository, manifest) > 0) standing.settle(repository, [manifest]);
  }
}
