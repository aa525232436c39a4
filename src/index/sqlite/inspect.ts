import { Database } from './database.ts';
import { indexError } from './failure.ts';
import { assertOurs } from './migrate.ts';
import { migrations } from './schema.ts';

/**
 * Looks whether a start would take an index that is there, and whether it is whole, which reads all of it. Nothing that
 * it says is changed, and a server may be at it.
 * @throws RegistryError `UNAVAILABLE` (origin `index`) when it is damaged, a newer entrepot's, or another program's
 */
export function inspectSqliteIndex(path: string): void {
  using database = new Database(path);
  assertOurs(database, migrations);
  const found = database.query<{ quick_check: string }>('PRAGMA quick_check(1)').get()?.quick_check;
  if (found === 'ok') return;
  const which = found?.replaceAll('\n', ' ');
  throw indexError(
    `the index ${path} is damaged (${which}): stop entrepot, run \`entrepot rebuild\`, which makes it anew from the volume, and start again`,
    'CORRUPT',
  );
}
