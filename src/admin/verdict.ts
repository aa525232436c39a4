import type { ExplainedManifest, ExplainedTag, ExplainedUpstream } from './views.ts';

export interface Findings {
  /** Of what is hosted there is none. */
  readonly upstream: ExplainedUpstream | undefined;
  readonly tag: ExplainedTag | undefined;
  readonly manifest: ExplainedManifest | undefined;
  readonly byDigest: boolean;
  readonly offline: boolean;
}

/** One sentence: what a pull would get now. */
export function verdictOf({ upstream, tag, manifest, byDigest, offline }: Findings): string {
  if (upstream === undefined) return hostedVerdict(manifest);
  const { name } = upstream;
  if (!upstream.allowed) {
    return `Clients are refused: upstreams.${name}.allow and deny keep them from this repository.`;
  }
  const away = offline
    ? 'cache.offline is set'
    : upstream.circuit === 'open'
      ? `${name} failed when it was last asked`
      : undefined;
  // Nobody asks it again before somebody wants something of it.
  const unless = offline ? '' : ` unless ${name} answers again`;
  if (manifest === undefined) {
    if (away !== undefined) return `Not held, and ${away}: a pull fails${unless}.`;
    return `Not held: a pull fetches it from ${name}.`;
  }
  const parts = partsSentence(manifest, away, name);
  if (tag?.state === 'seen' && away === undefined) {
    return `Held, but ${name} has moved the tag since: the next pull fetches what it points at now.`;
  }
  if (byDigest || tag?.state === 'fresh') return `Held: a pull is served from here without asking ${name}.${parts}`;
  if (away !== undefined) return `Held: a pull is served from here, as stale${unless}, because ${away}.${parts}`;
  return `Held: the next pull asks ${name} once whether the tag has moved; if it has not, or ${name} cannot be asked, it is served from here.${parts}`;
}

function hostedVerdict(manifest: ExplainedManifest | undefined): string {
  if (manifest === undefined) return 'Hosted here, and not held: a pull finds nothing until it is pushed.';
  const missing = missingParts(manifest);
  return `Hosted here: a pull is served from here.${missing === undefined ? '' : ` ${missing}, and nobody else is asked for them.`}`;
}

function partsSentence(manifest: ExplainedManifest, away: string | undefined, name: string): string {
  const what = missingParts(manifest);
  if (what === undefined) return '';
  return away === undefined
    ? ` ${what}; ${name} is asked for them when a client wants them.`
    : ` ${what}, and ${away}.`;
}

function missingParts({ members }: ExplainedManifest): string | undefined {
  const missing = members.filter(({ state }) => state !== 'held').length;
  if (missing === 0) return undefined;
  return `${missing} of its ${members.length} parts ${missing === 1 ? 'is' : 'are'} not held`;
}
