import type { Fingerprints } from './fingerprints.ts';

/** A token of ours, for a client whose registry's token service is away: it says which credential was shown, as a hash. */
export interface StandIn {
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

export async function makeStandIn(fingerprints: Fingerprints, { credential, expiresAtMs }: StandIn): Promise<string> {
  const text = Buffer.from(JSON.stringify([credential ?? '', expiresAtMs])).toString('base64url');
  return `${prefix}${text}.${await fingerprints.of('ticket', text)}`;
}

/** @returns `undefined` for what we have not made */
export async function readStandIn(fingerprints: Fingerprints, token: string): Promise<StandIn | undefined> {
  const [text = '', signature = ''] = token.slice(prefix.length).split('.');
  if (!token.startsWith(prefix) || signature !== (await fingerprints.of('ticket', text))) return undefined;
  const [credential, expiresAtMs] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [string, number];
  return { credential: credential === '' ? undefined : credential, expiresAtMs };
}
