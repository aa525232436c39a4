import { explain } from './explain.ts';
import type { Loaded } from './load.ts';

/**
 * Names the keys whose new values count only after a restart, because what was opened or measured at start stays as it
 * was; `undefined` when there are none.
 *
 * @param started what was in force when the server started
 */
export function restartNotice(started: Loaded, now: Loaded): string | undefined {
  const before = valuesOf(started);
  const after = valuesOf(now);
  const keys = new Set([...before.keys(), ...after.keys()]);
  const waiting = [...keys].filter((key) => before.get(key) !== after.get(key));
  if (waiting.length === 0) return undefined;
  return `read at start only, and different now: ${waiting.join(', ')}; restart to use what the file says`;
}

function valuesOf(loaded: Loaded): ReadonlyMap<string, string> {
  return new Map(explain(loaded).flatMap(({ key, value }) => (isReadAtStart(key) ? [[key, value] as const] : [])));
}

/** Sections that are read at start, and the keys in them that are asked for each time. */
const atStart = new Set(['http', 'storage', 'index', 'admin', 'log', 'cache', 'collect', 'intercept']);
const everyTime = [
  ...['auth', 'clients', 'dial', 'hosts', 'others', 'outage', 'ports', 'proof', 'push', 'resolver'].map(
    (key) => `intercept.${key}`,
  ),
  'http.host',
  'http.relativeurls',
  'cache.pins',
  'collect.grace',
  'collect.untagged',
  'storage.delete',
  'storage.maintenance',
];

function isReadAtStart(key: string): boolean {
  if (everyTime.some((each) => key === each || key.startsWith(`${each}.`) || key.startsWith(`${each}[`))) return false;
  return atStart.has(key.split('.', 1)[0] ?? key);
}
