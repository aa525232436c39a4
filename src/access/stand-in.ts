import { timingSafeEqual } from 'node:crypto';
import type { Fingerprints } from './fingerprints.ts';

/**
 * A token of ours, for a client whose registry's token service is away: it says which credential was shown, as a hash. It
 * counts at that registry alone: that another is away, or says so, opens nothing.
 */
export interface StandIn {
  readonly upstream: string;
  readonly credential: string | undefined;
  readonly expiresAtMs: number;
}

const prefix = 'entrepot-stand-in.';
/** A service that is back is asked again soon. */
export const standInSeconds = 60;

/** Whatever looks like one is ours to judge, and is never passed on to anybody. */
export function isStandIn(authorization: string | undefined): boolean {
  return authorization !== undefined && authorization.replace(/^bearer\s+/i, '').startsWith(prefix);
}

export async function makeStandIn(fingerprints: Fingerprints, standIn: StandIn): Promise<string> {
  const { upstream, credential, expiresAtMs } = standIn;
  const text = Buffer.from(JSON.stringify([credential ?? '', expiresAtMs, upstream])).toString('base64url');
  return `${prefix}${text}.${await fingerprints.of('ticket', text)}`;
}

/** @returns `undefined` for what we have not made, or not for that upstream */
export async function readStandIn(
  fingerprints: Fingerprints,
  token: string,
  upstream: string,
): Promise<StandIn | undefined> {
  const [text = '', signature = ''] = token.slice(prefix.length).split('.');
  if (!token.startsWith(prefix) || !isSame(signature, await fingerprints.of('ticket', text))) return undefined;
  const said = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, number, string];
  const [credential, expiresAtMs, madeFor] = said;
  if (madeFor !== upstream) return undefined;
  return { upstream, credential: credential === '' ? undefined : credential, expiresAtMs };
}

/** In a time that says nothing of how much of it is right. */
function isSame(shown: string, due: string): boolean {
  const [a, b] = [Buffer.from(shown), Buffer.from(due)];
  return a.length === b.length && timingSafeEqual(a, b);
}
