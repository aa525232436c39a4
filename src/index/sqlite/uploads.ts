import type { DigestAlgorithm } from '../../oci/digest.ts';
import type { RepositoryName } from '../../oci/reference.ts';
import type { RepositoryKey } from '../../oci/repository.ts';
import type { UploadId } from '../../oci/upload.ts';
import type { UploadIndex, UploadRow } from '../contract.ts';
import type { Database, Query } from './database.ts';

/** Each change is one statement with its condition inside, so that of any number of writers exactly one succeeds. */
export class SqliteUploads implements UploadIndex {
  readonly #database: Database;
  readonly #start: (id: string, name: string, algorithm: string, atMs: number) => number;
  readonly #find: Query<Row>;
  readonly #open: (writer: string, atMs: number, id: string, instead: string | null) => number;
  readonly #progress: (received: number, atMs: number, id: string, writer: string) => number;
  readonly #close: (received: number, atMs: number, id: string, writer: string) => number;
  readonly #remove: (id: string) => number;
  readonly #idle: Query<Row>;

  constructor(database: Database) {
    this.#database = database;
    this.#start = database.command('INSERT INTO uploads (id, name, algorithm, touched_at) VALUES (?, ?, ?, ?)');
    this.#find = database.query('SELECT * FROM uploads WHERE id = ? AND name = ?');
    this.#open = database.command('UPDATE uploads SET writer = ?, touched_at = ? WHERE id = ? AND writer IS ?');
    this.#progress = database.command('UPDATE uploads SET received = ?, touched_at = ? WHERE id = ? AND writer = ?');
    this.#close = database.command(
      'UPDATE uploads SET received = ?, touched_at = ?, writer = NULL WHERE id = ? AND writer = ?',
    );
    this.#remove = database.command('DELETE FROM uploads WHERE id = ?');
    this.#idle = database.query('SELECT * FROM uploads WHERE touched_at < ? AND id > ? ORDER BY id LIMIT ?');
  }

  async start(repository: RepositoryKey, id: UploadId, algorithm: DigestAlgorithm, atMs: number): Promise<void> {
    await this.#database.writeShared(() => this.#start(id, repository.name, algorithm, atMs));
  }

  async find(repository: RepositoryKey, id: UploadId): Promise<UploadRow | undefined> {
    const row = this.#find.get(id, repository.name);
    return row && rowOf(row);
  }

  async open(id: UploadId, writer: string, instead: string | undefined, atMs: number): Promise<boolean> {
    return this.#database.writeShared(() => this.#open(writer, atMs, id, instead ?? null) === 1);
  }

  async progress(id: UploadId, writer: string, received: number, atMs: number): Promise<boolean> {
    return this.#database.writeShared(() => this.#progress(received, atMs, id, writer) === 1);
  }

  async close(id: UploadId, writer: string, received: number, atMs: number): Promise<void> {
    await this.#database.writeShared(() => this.#close(received, atMs, id, writer));
  }

  async remove(id: UploadId): Promise<boolean> {
    return this.#database.writeShared(() => this.#remove(id) === 1);
  }

  async idle(beforeMs: number, after: UploadId | undefined, limit: number): Promise<readonly UploadRow[]> {
    return this.#idle.all(beforeMs, after ?? '', limit).map(rowOf);
  }
}

function rowOf(row: Row): UploadRow {
  const { id, algorithm, received } = row;
  const repository = { upstream: undefined, name: row.name };
  return { id, repository, algorithm, received, touchedAtMs: row.touched_at, writer: row.writer ?? undefined };
}

interface Row {
  readonly id: UploadId;
  readonly name: RepositoryName;
  readonly algorithm: DigestAlgorithm;
  readonly received: number;
  readonly touched_at: number;
  readonly writer: string | null;
}
