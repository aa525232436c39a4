import type { UpstreamConfig } from './config.ts';
import { upstreamName } from './value/upstream-name.ts';

/**
 * Which upstream a host is, for a name from a client, too: a lookup in a closed table, never a place to connect to by
 * itself. Exact names and aliases first, then the wildcard with the fewest stars, the longest of them. A wildcard's
 * upstream comes back with the host as its name and the stars of its URL filled in; the same one each time, as what is made
 * of a configuration is remembered by it.
 */
export function upstreamLookup(upstreams: readonly UpstreamConfig[]): (host: string) => UpstreamConfig | undefined {
  const exact = new Map<string, UpstreamConfig>();
  for (const upstream of upstreams) {
    if (upstream.name.includes('*')) continue;
    for (const name of [...upstream.aliases, upstream.name]) exact.set(name, upstream);
  }
  const wildcards = upstreams
    .filter((upstream) => upstream.name.includes('*'))
    .sort((one, other) => starsIn(one.name) - starsIn(other.name) || other.name.length - one.name.length)
    .map((upstream) => ({ upstream, pattern: patternOf(upstream.name) }));
  const filledIn = new Map<string, UpstreamConfig>();
  return (host) => {
    const name = upstreamName(host);
    if (name === undefined) return undefined;
    const known = exact.get(name) ?? filledIn.get(name);
    if (known !== undefined) return known;
    for (const { upstream, pattern } of wildcards) {
      const match = pattern.exec(name);
      if (match === null) continue;
      const made = { ...upstream, name, url: filled(upstream.url, match.slice(1)) };
      if (filledIn.size === filledInMax) filledIn.clear();
      filledIn.set(name, made);
      return made;
    }
    return undefined;
  };
}

/** Clients choose the names. */
const filledInMax = 1_000;

export function starsIn(text: string): number {
  return text.split('*').length - 1;
}

/** A star is a part of a name between dots, or a piece of one; never a dot. */
function patternOf(name: string): RegExp {
  const escaped = name.split('*').map((piece) => piece.replaceAll(/[.[\]]/gu, String.raw`\$&`));
  return new RegExp(`^${escaped.join('([a-z0-9_-]+)')}$`, 'u');
}

function filled(url: string, pieces: readonly string[]): string {
  let next = 0;
  return url.replaceAll('*', () => pieces[next++] ?? '');
}
