import type { Origin, Problem } from './error.ts';
import { originText } from './error.ts';
import { givenKeys, type Plain } from './tree/plain.ts';
import { keyOriginAt, pathText, treeAt, type MapTree, type Path } from './tree/tree.ts';

/**
 * What a key does in this version. A key that isn't honoured is never dropped in silence: it's explained at start, or
 * refused with what to write instead (docs/configuration.md). To support a key, flip its line here.
 */
export type Support =
  | { readonly kind: 'honoured' }
  /** `text` follows "not needed, ignored: ". */
  | { readonly kind: 'explained'; readonly text: string }
  /** `text` says why and ends with what to do. `unless` is a value that asks for nothing. */
  | { readonly kind: 'refused'; readonly text: string; readonly unless: readonly Plain[] };

const honoured: Support = { kind: 'honoured' };
const explained = (text: string): Support => ({ kind: 'explained', text });
const refused = (text: string, ...unless: readonly Plain[]): Support => ({ kind: 'refused', text, unless });

/** The longest pattern that leads to a key counts; `*` is a name of the operator's own, indexes of lists are left out. */
export const support: Readonly<Record<string, Support>> = {
  version: honoured,
  log: honoured,
  'log.reportcaller': explained('lines name their event instead of a source line'),
  'log.hooks': refused('mail is not sent from here; remove it and let your log collector send it', []),
  loglevel: honoured,
  http: honoured,
  'http.secret': explained('the state of uploads never leaves this server'),
  'http.http2': explained('HTTP/1.1 is what is spoken'),
  'http.h2c': explained('HTTP/1.1 is what is spoken'),
  storage: honoured,
  'storage.filesystem.maxthreads': explained('files are read and written as fast as the disk allows'),
  'storage.s3': refused('not supported by this version; use filesystem'),
  'storage.s3aws': refused('not supported by this version; use filesystem'),
  'storage.gcs': refused('not supported by this version; use filesystem'),
  'storage.azure': refused('not supported; use filesystem'),
  'storage.swift': refused('not supported; use filesystem'),
  'storage.oss': refused('not supported; use filesystem'),
  'storage.redirect': explained('blobs are always served by this server'),
  'storage.cache': explained('the index knows every blob'),
  'storage.tag': explained('the index knows every tag'),
  index: refused('PostgreSQL is not supported by this version; write sqlite', 'sqlite'),
  hosted: honoured,
  upstreams: honoured,
  defaultupstream: honoured,
  cache: honoured,
  intercept: honoured,
  access: honoured,
  'admin.socket': honoured,
  'admin.tokenfile': honoured,
  collect: honoured,
  mirror: refused('not supported by this version; remove it, and have cron run entrepot pull', []),
  'proxy.remoteurl': honoured,
  'proxy.username': honoured,
  'proxy.password': honoured,
  'proxy.ttl': honoured,
  'proxy.cachewritetimeout': explained('a download may take as long as it makes progress'),
  'proxy.exec': honoured,
  'auth.none': explained('without rules, everybody may pull and push'),
  'auth.silly': refused('made for tests of another registry; remove it'),
  'auth.htpasswd': honoured,
  'auth.token': honoured,
  notifications: honoured,
  health: honoured,
  validation: honoured,
  policy: explained('every kind of content may be pushed'),
  'catalog.maxentries': honoured,
  'tags.maxtags': honoured,
  middleware: refused(
    'plug-ins of registry do not run here, and blobs come from here without a redirect; remove it',
    {},
  ),
  redis: explained('the index needs no cache beside it'),
  reporting: explained('errors are in the log'),
  compatibility: explained('schema 1 manifests are not served'),
};

/** What the key does; undefined would be a hole in the table, which a test finds. */
export function supportOf(
  path: Path,
): { readonly pattern: string; readonly support: Support; readonly length: number } | undefined {
  const names = path.filter((step) => typeof step === 'string');
  for (let length = names.length; length > 0; length -= 1) {
    const pattern = names.slice(0, length).join('.');
    const found = Object.hasOwn(support, pattern) ? support[pattern] : undefined;
    if (found !== undefined) return { pattern, support: found, length };
  }
  return undefined;
}

/** Every given key held against the table: one problem or one notice for each line of it, at its first key. */
export function judgeSupport(
  tree: MapTree,
  plain: Plain | undefined,
): { readonly problems: readonly Problem[]; readonly notices: readonly string[] } {
  const problems: Problem[] = [];
  const notices: string[] = [];
  const done = new Set<string>();
  for (const { path, tree: given } of givenKeys(tree)) {
    const found = supportOf(path);
    if (found === undefined || found.support.kind === 'honoured' || done.has(found.pattern)) continue;
    if (given.kind === 'scalar' && given.value === null) continue;
    const place = path.slice(0, found.length);
    done.add(found.pattern);
    const origin: Origin = keyOriginAt(tree, place);
    if (found.support.kind === 'explained') {
      notices.push(`${pathText(place)} (${originText(origin)}) is not needed and ignored: ${found.support.text}`);
    } else if (!asksForNothing(plain, place, found.support.unless)) {
      problems.push({ key: pathText(place), origin, text: found.support.text });
    }
  }
  return { problems, notices };
}

function asksForNothing(plain: Plain | undefined, path: Path, unless: readonly Plain[]): boolean {
  const value = path.reduce<unknown>((found, step) => (found as Record<string, unknown> | undefined)?.[step], plain);
  return isSwitchedOff(value) || unless.some((each) => JSON.stringify(each) === JSON.stringify(value));
}

/** Lists of hooks and plug-ins, each of them `disabled: true`. */
function isSwitchedOff(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((each) => each?.disabled === true);
  const lists = typeof value === 'object' && value !== null ? Object.values(value) : [];
  return lists.length > 0 && lists.every((each) => Array.isArray(each) && isSwitchedOff(each));
}

/** Whether the key stands in the tree at all, be it empty. */
export function isGiven(tree: MapTree, key: string): boolean {
  return treeAt(tree, key.split('.')) !== undefined;
}
