import type { Digest } from '../../oci/digest.ts';
import type { Link } from '../../oci/link.ts';
import type { RepositoryName, Tag } from '../../oci/reference.ts';
import type { OutboxEntry, OutboxIndex, OutboxPart } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';
import type { RepositoryIds } from './identities.ts';

/** Of manifests that are told together, in bytes. */
const toldBytesMax = 16 * 1024 * 1024;

/** See `schema-outbox.ts` for how entries come to be. */
export class SqliteOutbox implements OutboxIndex {
  readonly #database: Database;
  readonly #repositories: RepositoryIds;
  readonly #oldest: Query<EntryRow>;
  readonly #oldestOf: Query<EntryRow>;
  readonly #isMember: Query<unknown>;
  readonly #manifest: Query<{ bytes: Uint8Array }>;
  readonly #target: Query<{ digest: Uint8Array }>;
  readonly #newest: Query<{ sequence: number | null }>;
  readonly #settle: (sequence: number) => number;

  constructor(database: Database, repositories: RepositoryIds) {
    this.#database = database;
    this.#repositories = repositories;
    const entries = `
      SELECT sequence, repository, repositories.name AS repository_name, kind, outbox.name FROM outbox
        JOIN repositories ON repositories.id = outbox.repository
    `;
    this.#oldest = database.query(`${entries} ORDER BY sequence LIMIT ?`);
    // With the plus signs it goes through all entries in their order, once altogether, instead of sorting those of the
    // repository again for each page.
    this.#oldestOf = database.query(
      `${entries} WHERE +outbox.repository = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
    );
    this.#isMember = database.query(`
      SELECT 1 FROM contents JOIN members ON members.content = contents.id AND members.repository = ?1 WHERE digest = ?2
    `);
    this.#manifest = database.query(`
      SELECT bytes FROM contents JOIN held ON held.manifest = contents.id AND held.repository = ?1
        JOIN manifests ON manifests.content = contents.id WHERE digest = ?2
    `);
    this.#target = database.query(`
      SELECT digest FROM tags JOIN contents ON contents.id = tags.manifest WHERE repository = ?1 AND name = CAST(?2 AS TEXT)
    `);
    this.#newest = database.query('SELECT max(sequence) AS sequence FROM outbox');
    this.#settle = database.aside('DELETE FROM outbox WHERE sequence = ?');
  }

  async pending(limit: number, of?: OutboxPart): Promise<readonly OutboxEntry[]> {
    return this.#database.read(() => {
      const entries: OutboxEntry[] = [];
      let bytes = 0;
      for (const row of of === undefined ? this.#oldest.all(limit) : this.#rowsOf(of, limit)) {
        const link = this.#linkOf(row);
        entries.push({ sequence: row.sequence, link });
        bytes += link.kind === 'manifest' ? (link.bytes?.length ?? 0) : 0;
        if (bytes >= toldBytesMax) break;
      }
      return entries;
    });
  }

  onEntered(listener: () => void): void {
    let told = 0;
    this.#database.onCommit(() => {
      const sequence = this.#newest.get()?.sequence ?? 0;
      if (sequence <= told) return;
      told = sequence;
      listener();
    });
  }

  async settle(entries: readonly OutboxEntry[]): Promise<void> {
    this.#database.write(() => {
      for (const { sequence } of entries) this.#settle(sequence);
    });
  }

  #rowsOf({ key, after }: OutboxPart, limit: number): readonly EntryRow[] {
    const repository = this.#repositories.find(key);
    return repository === undefined ? [] : this.#oldestOf.all(repository, after, limit);
  }

  #linkOf(row: EntryRow): Link {
    const { repository, name } = row;
    const of = { repository: row.repository_name };
    if (row.kind === kinds.tag) {
      const target = this.#target.get(repository, name);
      return { ...of, kind: 'tag', tag: tagOf(name), digest: target && decodeDigest(target.digest) };
    }
    const digest: Digest = decodeDigest(name);
    if (row.kind === kinds.layer) {
      return { ...of, kind: 'layer', digest, held: this.#isMember.get(repository, name) !== undefined };
    }
    return { ...of, kind: 'manifest', digest, bytes: this.#manifest.get(repository, name)?.bytes };
  }
}

const kinds = { layer: 0, manifest: 1, tag: 2 } as const;

function tagOf(name: Uint8Array): Tag {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString() as Tag;
}

interface EntryRow {
  readonly sequence: number;
  readonly repository: number;
  readonly repository_name: RepositoryName;
  readonly kind: number;
  readonly name: Uint8Array;
}
