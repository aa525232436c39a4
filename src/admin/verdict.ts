import type { ExplainedManifest, ExplainedTag, ExplainedUpstream } from './views.ts';

export interface Findings {
  readonly upstream: ExplainedUpstream | undefined;
  readonly tag: ExplainedTag | undefined;
  readonly manifest: ExplainedManifest | undefined;
  readonly byDigest: boolean;
  readonly offline: boolean;
}

/** One sentence: what a pull would get now. */
export function verdictOf({ upstream, tag, manifest, byDigest, offline }: Findings): string {
  const name = upstream?.name ?? 'the upstream';
  if (upstream !== undefined && !upstream.allowed) {
    return `Clients are refused: upstreams.${name}.allow and deny keep them from this repository.`;
  }
  const away = offline
    ? 'cache.offline is set'
    : upstream?.circuit === 'open'
      ? `${name} fails at the moment`
      : undefined;
  if (manifest === undefined) {
    if (away !== undefined) return `Not held, and ${away}: a pull fails.`;
    return `Not held: a pull fetches it from ${name}.`;
  }
  const parts = partsSentence(manifest, away, name);
  if (tag?.state === 'seen' && away === undefined) {
    return `Held, but ${name} has moved the tag since: the next pull fetches what it points at now.`;
  }
  if (byDigest || tag?.state === 'fresh') return `Held: a pull is served from here without asking ${name}.${parts}`;
  if (away !== undefined) return `Held: a pull is served from here, as stale, because ${away}.${parts}`;
  return `Held: the next pull asks ${name} once whether the tag has moved; if it has not, or ${name} cannot be asked, it is served from here.${parts}`;
}

function partsSentence({ members }: ExplainedManifest, away: string | undefined, name: string): string {
  const missing = members.filter(({ state }) => state !== 'held').length;
  if (missing === 0) return '';
  const what = `${missing} of its ${members.length} parts ${missing === 1 ? 'is' : 'are'} not held`;
  return away === undefined
    ? ` ${what}; ${name} is asked for them when a client wants them.`
    : ` ${what}, and ${away}.`;
}
