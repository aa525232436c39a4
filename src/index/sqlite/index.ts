import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Index } from '../contract.ts';
import { SqliteAdoption } from './adoption.ts';
import { SqliteBlobs } from './blobs.ts';
import { Checkpoints } from './checkpoints.ts';
import { SqliteClaims } from './claims.ts';
import { SqliteCollection } from './collection.ts';
import { Database } from './database.ts';
import { Dropping } from './dropping.ts';
import { indexError } from './failure.ts';
import { SqliteHosted } from './hosted.ts';
import { ContentIds, RepositoryIds } from './identities.ts';
import { SqliteKeeping } from './keeping.ts';
import { SqliteLeases } from './leases.ts';
import { SqliteManifests } from './manifests.ts';
import { migrate } from './migrate.ts';
import { SqliteNotices } from './notices.ts';
import { SqlitePins } from './operator-pins.ts';
import { SqliteOutbox } from './outbox.ts';
import { SqliteProofs } from './proofs.ts';
import { Removal } from './removal.ts';
import { SqliteRepositories } from './repositories.ts';
import { migrations } from './schema.ts';
import { Standing } from './standing.ts';
import { SqliteTags } from './tags.ts';
import { SqliteUploads } from './uploads.ts';

export interface SqliteIndexOptions {
  /** `<rootdirectory>/entrepot/index.db`; the file and its directory are made, readable by the owner alone. */
  readonly path: string;
}

/** A path for an index that lasts as long as it is open: for content that lasts no longer either. */
export const inMemory = ':memory:';

/**
 * The index in one SQLite file (`schema.ts` draws it). Several processes of one host may share it. Calls run to their
 * end before they return: a statement takes microseconds, and there is nothing to wait for but another process's write.
 * @throws RegistryError `UNAVAILABLE` (origin `index`) when it cannot be opened, is damaged, or is a newer entrepot's
 */
export async function openSqliteIndex(options: SqliteIndexOptions): Promise<Index> {
  if (options.path !== inMemory) makePrivate(options.path);
  const database = new Database(options.path);
  try {
    migrate(database, migrations);
    if (options.path === inMemory) return indexOver(database);
    return withCheckpoints(indexOver(database), new Checkpoints(database));
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}

/** Of a database whose schema is the newest. Disposing the index closes it. */
export function indexOver(database: Database): Index {
  const repositories = new RepositoryIds(database);
  const contents = new ContentIds(database);
  const standing = new Standing(database);
  const removal = new Removal(database, contents, standing);
  const claims = new SqliteClaims(database);
  const notices = new SqliteNotices(database);
  const dropping = new Dropping(database, contents);
  const parts = { database, repositories, contents, standing, removal, dropping, claims, notices };
  return {
    version: () => database.version,
    problem: () => database.problem,
    manifests: new SqliteManifests(parts),
    tags: new SqliteTags(parts),
    blobs: new SqliteBlobs(parts),
    leases: new SqliteLeases(database),
    keeping: new SqliteKeeping(parts),
    collection: new SqliteCollection({ ...parts, rehearse: () => rehearse(database) }),
    pins: new SqlitePins(parts),
    repositories: new SqliteRepositories(parts),
    hosted: new SqliteHosted(parts),
    uploads: new SqliteUploads(database),
    claims,
    notices,
    outbox: new SqliteOutbox(database, repositories),
    adoption: new SqliteAdoption(parts),
    proofs: new SqliteProofs(database),
    [Symbol.asyncDispose]: async () => database[Symbol.dispose](),
  };
}

function withCheckpoints(index: Index, checkpoints: Checkpoints): Index {
  const dispose = async (): Promise<void> => {
    await checkpoints[Symbol.asyncDispose]();
    await index[Symbol.asyncDispose]();
  };
  return { ...index, [Symbol.asyncDispose]: dispose };
}

/** Of the index as it is: a file beside it, so that there is room for it where there is room for the index. */
async function rehearse(database: Database): Promise<Index> {
  const path =
    database.path === inMemory ? join(tmpdir(), `entrepot-${randomUUID()}`) : `${database.path}.${randomUUID()}`;
  const remove = (): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  };
  try {
    makePrivate(path);
    await database.copy(path);
    const copy = await openSqliteIndex({ path });
    const dispose = async (): Promise<void> => {
      await copy[Symbol.asyncDispose]();
      remove();
    };
    return { ...copy, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    remove();
    throw error;
  }
}

/** SQLite gives its -wal and -shm files the mode of the database. */
function makePrivate(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    throw indexError(
      `the index ${path} cannot be opened (${code}): make its directory writable for the user that runs entrepot`,
      code,
      error,
    );
  }
}
