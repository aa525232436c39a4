import type { Database } from './database.ts';
import { indexError } from './failure.ts';

/** "entr": marks a database file as ours (`PRAGMA application_id`), so that another program's is never written to. */
const applicationId = 0x656e7472;

/**
 * Makes sure that the file is ours, and brings its schema to the newest version, one transaction for all steps; of several processes that start at once, the
 * first does it and the others find it done.
 * @throws RegistryError `UNAVAILABLE` (origin `index`) when the file is a newer entrepot's, or another program's
 */
export function migrate(database: Database, migrations: readonly string[]): void {
  assertOurs(database, migrations);
  database.useWriteAheadLog();
  if (versionOf(database) === migrations.length) return;
  database.write(() => {
    assertOurs(database, migrations);
    for (const migration of migrations.slice(versionOf(database))) database.execute(migration);
    database.execute(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`);
  });
}

/** @throws as `migrate`, which it changes nothing for */
export function assertOurs(database: Database, migrations: readonly string[]): void {
  const version = versionOf(database);
  const tables = database.query<{ count: number }>('SELECT count(*) AS count FROM sqlite_schema').get()?.count ?? 0;
  const owner = database.query<{ application_id: number }>('PRAGMA application_id').get()?.application_id ?? 0;
  if (owner !== applicationId && (owner !== 0 || tables > 0)) {
    throw indexError(`${database.path} belongs to another program: move it away, or name another index`, 'FOREIGN');
  }
  if (version > migrations.length) {
    throw indexError(
      `the index ${database.path} has schema version ${version}, and this entrepot knows versions up to ${migrations.length}: start the newer entrepot that wrote it, or move the file away to begin with an empty index`,
      'NEWER',
    );
  }
}

function versionOf(database: Database): number {
  return database.query<{ user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0;
}
