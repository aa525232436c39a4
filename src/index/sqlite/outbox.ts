import type { Digest } from '../../oci/digest.ts';
import type { Link } from '../../oci/link.ts';
import type { RepositoryName, Tag } from '../../oci/reference.ts';
import type { OutboxEntry, OutboxIndex } from '../contract.ts';
import type { Database, Query } from './database.ts';
import { decodeDigest } from './digests.ts';

/** Of manifests that are told together, in bytes. */
const toldBytesMax = 16 * 1024 * 1024;

/** See `schema-outbox.ts` for how entries come to be. */
export class SqliteOutbox implements OutboxIndex {
  readonly #database: Database;
  readonly #oldest: Query<EntryRow>;
  readonly #isMember: Query<unknown>;
  readonly #manifest: Query<{ bytes: Uint8Array }>;
  readonly #target: Query<{ digest: Uint8Array }>;
  readonly #any: Query<unknown>;
  readonly #settle: (sequence: number) => number;

  constructor(database: Database) {
    this.#database = database;
    this.#oldest = database.query(`
      SELECT sequence, repository, repositories.name AS repository_name, kind, outbox.name FROM outbox
        JOIN repositories ON repositories.id = outbox.repository ORDER BY sequence LIMIT ?
    `);
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
    this.#any = database.query('SELECT 1 FROM outbox LIMIT 1');
    this.#settle = database.aside('DELETE FROM outbox WHERE sequence = ?');
  }

  async pending(limit: number): Promise<readonly OutboxEntry[]> {
    return this.#database.read(() => {
      const entries: OutboxEntry[] = [];
      let bytes = 0;
      for (const row of this.#oldest.all(limit)) {
        const link = this.#linkOf(row);
        entries.push({ sequence: row.sequence, link });
        bytes += link.kind === 'manifest' ? (link.bytes?.length ?? 0) : 0;
        if (bytes >= toldBytesMax) break;
      }
      return entries;
    });
  }

  onEntered(listener: () => void): void {
    this.#database.onCommit(() => {
      if (this.#any.get() !== undefined) listener();
    });
  }

  async settle(entries: readonly OutboxEntry[]): Promise<void> {
    this.#database.write(() => {
      for (const { sequence } of entries) this.#settle(sequence);
    });
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
