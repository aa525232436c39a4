import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { ChildDescriptor, Manifest } from '../../oci/manifest.ts';
import { isForeignMediaType } from '../../oci/media-types.ts';
import { isDigestReference } from '../../oci/reference.ts';
import type { Reference, Tag } from '../../oci/reference.ts';
import type { RepositoryKey } from '../../oci/repository.ts';
import { touchGrainMs } from '../collection-contract.ts';
import type { HostedIndex, Lease, ManifestPush, PushedBlob, Tell } from '../contract.ts';
import type { SqliteClaims } from './claims.ts';
import type { Database, Query } from './database.ts';
import { encodeDigest } from './digests.ts';
import type { Dropping } from './dropping.ts';
import type { ContentIds, RepositoryIds } from './identities.ts';
import { ManifestWrites } from './manifests.ts';
import type { SqliteNotices } from './notices.ts';
import type { Removal } from './removal.ts';
import type { Standing } from './standing.ts';

export interface HostedParts {
  readonly database: Database;
  readonly repositories: RepositoryIds;
  readonly contents: ContentIds;
  readonly standing: Standing;
  readonly removal: Removal;
  readonly dropping: Dropping;
  readonly claims: SqliteClaims;
  readonly notices: SqliteNotices;
}

/** What an error tells of at most. */
const toldMax = 16;

export class SqliteHosted implements HostedIndex {
  readonly #parts: HostedParts;
  readonly #manifests: ManifestWrites;
  readonly #holds: Query<unknown>;
  readonly #has: Query<{ blob: number; manifest: number }>;
  readonly #tagged: Query<{ manifest: number | null }>;
  readonly #tags: Query<{ name: Tag }>;
  readonly #point: (repository: number, tag: string, manifest: number, atMs: number) => number;
  readonly #untag: (repository: number, tag: string) => number;
  readonly #endLease: (key: string, epoch: number) => number;
  readonly #store: (size: number, atMs: number, content: number) => number;
  readonly #addMember: (content: number, repository: number, atMs: number) => number;
  readonly #dropMember: (content: number, repository: number) => number;
  readonly #endUpload: (id: string) => number;
  readonly #touch: (atMs: number, content: number) => number;
  /** A manifest that loses a tag is as young as one that is put. */
  readonly #touchManifest: (atMs: number, repository: number, manifest: number) => number;
  readonly #needed: Query<unknown>;
  readonly #asked: Query<{ content: number; added_at: number }>;
  readonly #note: (atMs: number, content: number, repository: number) => number;

  constructor(parts: HostedParts) {
    const { database } = parts;
    this.#parts = parts;
    this.#manifests = new ManifestWrites(parts);
    this.#holds = database.query('SELECT 1 FROM contents WHERE digest = ? AND hosted > 0');
    this.#has = database.query(`
      SELECT size IS NOT NULL AND EXISTS (SELECT 1 FROM members WHERE content = contents.id AND repository = ?1) AS blob,
        EXISTS (SELECT 1 FROM held WHERE manifest = contents.id AND repository = ?1) AS manifest
        FROM contents WHERE digest = ?2
    `);
    this.#tagged = database.query('SELECT manifest FROM tags WHERE repository = ? AND name = ?');
    this.#tags = database.query('SELECT name FROM tags WHERE repository = ? AND manifest = ?');
    this.#point = database.command(`
      INSERT INTO tags (repository, name, manifest, checked_at) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET manifest = excluded.manifest, checked_at = excluded.checked_at
    `);
    this.#untag = database.command('DELETE FROM tags WHERE repository = ? AND name = ?');
    this.#endLease = database.command('DELETE FROM leases WHERE key = ? AND epoch = ?');
    this.#store = database.command('UPDATE contents SET size = ?, last_used = max(last_used, ?) WHERE id = ?');
    this.#addMember = database.command(`
      INSERT INTO members (content, repository, added_at) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET added_at = max(added_at, excluded.added_at)
    `);
    this.#dropMember = database.command('DELETE FROM members WHERE content = ? AND repository = ?');
    this.#endUpload = database.command('DELETE FROM uploads WHERE id = ?');
    this.#touch = database.command('UPDATE contents SET last_used = max(last_used, ?) WHERE id = ?');
    this.#touchManifest = database.command(
      'UPDATE held SET last_used = max(last_used, ?) WHERE repository = ? AND manifest = ?',
    );
    this.#needed = database.query('SELECT 1 FROM refs WHERE child = ? AND repository = ? LIMIT 1');
    this.#asked = database.query(`
      SELECT members.content, members.added_at FROM contents
        JOIN members ON members.content = contents.id AND members.repository = ? WHERE digest = ?
    `);
    this.#note = database.aside('UPDATE members SET added_at = ? WHERE content = ? AND repository = ?');
  }

  async put(key: RepositoryKey, manifest: Manifest, push: ManifestPush): Promise<void> {
    await this.#durably(() => {
      const repository = this.#parts.repositories.ensure(key);
      if (!push.sparse) this.#requireChildren(repository, manifest, push);
      this.#manifests.put(key, manifest, push.atMs);
      const content = this.#parts.contents.ensure(manifest.digest);
      for (const tag of push.tags) this.#pointTag(repository, tag, content, push);
      this.#parts.claims.claim(key.name);
      this.#parts.notices.queue(push.tell?.([]) ?? []);
    });
  }

  async remove(
    key: RepositoryKey,
    reference: Reference,
    isImmutable: (tag: Tag) => boolean,
    atMs: number,
    tell?: Tell,
  ): Promise<boolean> {
    return this.#durably(() => {
      const repository = this.#parts.repositories.find(key);
      if (repository === undefined) return false;
      const untagged = isDigestReference(reference) ? this.#tagsOf(repository, reference) : [];
      const removed = isDigestReference(reference)
        ? this.#removeManifest(repository, reference, isImmutable)
        : this.#removeTag(repository, reference, isImmutable, atMs);
      if (removed) this.#parts.notices.queue(tell?.(untagged) ?? []);
      return removed;
    });
  }

  async addBlob(key: RepositoryKey, blob: PushedBlob, lease: Lease, atMs: number): Promise<boolean> {
    const { repositories, contents, claims, notices } = this.#parts;
    return this.#durably(() => {
      if (this.#endLease(lease.key, lease.epoch) === 0) return false;
      const content = contents.ensure(blob.digest);
      this.#store(blob.size, atMs, content);
      this.#addMember(content, repositories.ensure(key), atMs);
      this.#endUpload(blob.upload);
      claims.claim(key.name);
      notices.queue(blob.tell?.([]) ?? []);
      return true;
    });
  }

  async mountBlob(
    key: RepositoryKey,
    from: RepositoryKey,
    digest: Digest,
    atMs: number,
    tell?: Tell,
  ): Promise<boolean> {
    const { repositories, contents, claims, notices } = this.#parts;
    return this.#durably(() => {
      const source = repositories.find(from);
      if (source === undefined || this.#has.get(source, encodeDigest(digest))?.blob !== 1) return false;
      const content = contents.ensure(digest);
      this.#addMember(content, repositories.ensure(key), atMs);
      this.#touch(atMs, content);
      claims.claim(key.name);
      notices.queue(tell?.([]) ?? []);
      return true;
    });
  }

  async holds(digest: Digest): Promise<boolean> {
    return this.#holds.get(encodeDigest(digest)) !== undefined;
  }

  async hasBlob(key: RepositoryKey, digest: Digest, atMs: number): Promise<boolean> {
    const repository = this.#parts.repositories.find(key);
    const found = repository === undefined ? undefined : this.#asked.get(repository, encodeDigest(digest));
    if (repository === undefined || found === undefined) return false;
    if (found.added_at > atMs - touchGrainMs) return true;
    // By the time of the note another process may have collected it.
    return this.#note(atMs, found.content, repository) === 1;
  }

  async removeBlob(key: RepositoryKey, digest: Digest, tell?: Tell): Promise<'removed' | 'absent' | 'needed'> {
    const { repositories, contents, dropping, notices } = this.#parts;
    return this.#durably(() => {
      const [repository, content] = [repositories.find(key), contents.find(digest)];
      if (repository === undefined || content === undefined) return 'absent';
      if (this.#has.get(repository, encodeDigest(digest))?.blob !== 1) return 'absent';
      if (this.#needed.get(content, repository) !== undefined) return 'needed';
      this.#dropMember(content, repository);
      dropping.release(content);
      notices.queue(tell?.([]) ?? []);
      return 'removed';
    });
  }

  async #durably<T>(run: () => T): Promise<T> {
    const result = await this.#parts.database.writeShared(run);
    await this.#parts.database.durable();
    return result;
  }

  #requireChildren(repository: number, manifest: Manifest, push: ManifestPush): void {
    const missing = manifest.children.filter(
      (child) => push.mayLack?.(child) !== true && !this.#hasChild(repository, child),
    );
    if (missing.length === 0) return;
    const digests = missing.slice(0, toldMax).map(({ digest }) => digest);
    throw new RegistryError(
      'MANIFEST_BLOB_UNKNOWN',
      `the manifest refers to ${missing.length} that are not in this repository, such as ${digests[0]}; push them first`,
      { detail: { missing: digests } },
    );
  }

  /** BuildKit's caches are indexes that list blobs, and so they are let in; a foreign layer is somewhere else. */
  #hasChild(repository: number, child: ChildDescriptor): boolean {
    const found = this.#has.get(repository, encodeDigest(child.digest));
    if (found?.blob === 1 || (child.kind === 'manifest' && found?.manifest === 1)) return true;
    return child.kind === 'blob' && isForeignMediaType(child.mediaType);
  }

  #pointTag(repository: number, tag: Tag, manifest: number, push: ManifestPush): void {
    const before = this.#tagged.get(repository, tag)?.manifest ?? undefined;
    if (before !== undefined && before !== manifest && push.isImmutable(tag)) throw immutable(tag, 'points elsewhere');
    this.#point(repository, tag, manifest, push.atMs);
    if (before !== undefined) this.#touchManifest(push.atMs, repository, before);
    this.#parts.standing.settle(repository, before === undefined ? [manifest] : [before, manifest]);
  }

  #removeTag(repository: number, tag: Tag, isImmutable: (tag: Tag) => boolean, atMs: number): boolean {
    const target = this.#tagged.get(repository, tag);
    if (target === undefined) return false;
    if (isImmutable(tag)) throw immutable(tag, 'stays');
    this.#untag(repository, tag);
    if (target.manifest === null) return true;
    this.#touchManifest(atMs, repository, target.manifest);
    this.#parts.standing.settle(repository, [target.manifest]);
    return true;
  }

  #tagsOf(repository: number, digest: Digest): readonly Tag[] {
    const manifest = this.#parts.contents.find(digest);
    return manifest === undefined ? [] : this.#tags.all(repository, manifest).map(({ name }) => name);
  }

  #removeManifest(repository: number, digest: Digest, isImmutable: (tag: Tag) => boolean): boolean {
    const { contents, removal, dropping } = this.#parts;
    const manifest = contents.find(digest);
    if (manifest === undefined) return false;
    const fixed = this.#tags.all(repository, manifest).find(({ name }) => isImmutable(name));
    if (fixed !== undefined) throw immutable(fixed.name, 'points at it, and stays');
    const removed = removal.remove(repository, manifest);
    for (const each of [...(removed ?? []), manifest]) dropping.release(each);
    return removed !== undefined;
  }
}

function immutable(tag: Tag, why: string): RegistryError {
  return new RegistryError(
    'TAG_IMMUTABLE',
    `the tag ${tag} ${why}: hosted.immutable says that it never moves; push another tag`,
  );
}
