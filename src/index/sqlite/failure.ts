import { RegistryError } from '../../oci/errors.ts';

/** SQLite's primary result codes (https://sqlite.org/rescode.html) and what to do about each. */
const advice: Readonly<Record<number, readonly [code: string, what: string]>> = {
  5: ['BUSY', 'another process keeps it locked: stop what else uses it, or ask again'],
  8: ['READONLY', 'remount its file system writable, or give the user that runs entrepot write access to it'],
  10: ['IOERR', 'look at the kernel log and at the disk'],
  11: [
    'CORRUPT',
    'it is damaged: stop entrepot, run `entrepot rebuild`, which makes it anew from the volume, and start again',
  ],
  13: ['FULL', 'free some space on its disk, or lower cache.size'],
  14: ['CANTOPEN', 'make its directory readable and writable for the user that runs entrepot'],
  26: ['NOTADB', 'it is not a database: run `entrepot rebuild`, which makes it anew from the volume, and start again'],
};

/** Between two releases the tables may change without a new version. */
const otherTables = [
  'SCHEMA',
  'it was made by a development version: run `entrepot rebuild`, which makes it anew from the volume, and start again',
] as const;

function isOfOtherTables({ message }: Error): boolean {
  return /^no such (?:table|column)|has no column/.test(message);
}

/** An error of SQLite as a RegistryError `UNAVAILABLE` of origin `index`; anything else as it is. */
export function indexFailure(path: string, cause: unknown): unknown {
  const number = sqliteCode(cause);
  if (number === undefined || !(cause instanceof Error)) return cause;
  const [code, what] = (isOfOtherTables(cause) ? otherTables : advice[number & 0xff]) ?? [
    `SQLITE ${number}`,
    'look at its disk and file system',
  ];
  return indexError(`the index ${path} failed (${cause.message}): ${what}`, code, cause);
}

/** Another connection holds a lock. */
export function isBusy(error: unknown): boolean {
  return ((sqliteCode(error) ?? 0) & 0xff) === 5;
}

export function indexError(message: string, code: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', message, { origin: 'index', detail: { code }, cause });
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}
