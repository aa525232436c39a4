import type { Reply, Request, Via } from '../http/message.ts';
import { errorReply } from '../http/error-body.ts';
import type { RegistryError } from '../oci/errors.ts';
import { fieldIn, realmIn } from './behaviour.ts';
import type { TokenDesk } from './token-desk.ts';

/** How a registry asks who somebody is, is all that it can be stood in for with while it is away. */
export async function notePing(
  { headers }: Request,
  { status, repeated = [] }: Reply,
  { host }: Via,
  { challenges }: TokenDesk,
): Promise<void> {
  if (status === 200 && headers['authorization'] === undefined) await challenges.challenge(host, '');
  const challenge = status === 401 ? fieldIn(repeated, 'www-authenticate') : undefined;
  if (challenge !== undefined) await challenges.challenge(host, challenge);
}

const version = { 'Docker-Distribution-Api-Version': 'registry/2.0' };

const welcome: Reply = {
  status: 200,
  headers: { ...version, 'Content-Type': 'application/json', 'Content-Length': '2' },
  body: { kind: 'bytes', bytes: Buffer.from('{}') },
};

/** A registry that fails is no reason for clients not to ask for what is everybody's. */
export function failedPing({ body }: Reply): Reply {
  if (body.kind === 'stream') body.cancel?.();
  return welcome;
}

export interface PingOptions {
  readonly rules: () => { upstreamAt(name: string): string | undefined };
  readonly desk: TokenDesk;
}

/**
 * Clients log in only where they are asked to. Whether somebody is who he says cannot be found out meanwhile: a login has
 * to wait.
 * @throws RegistryError why the registry could not be asked
 */
export async function pingWhileAway(
  { headers }: Request,
  { host }: Via,
  why: RegistryError,
  { rules, desk }: PingOptions,
): Promise<Reply> {
  if (headers['authorization'] !== undefined) throw why;
  const challenge = (await desk.challenges.challenge(host)) ?? '';
  const realm = realmIn(challenge);
  const leadsHere = realm === undefined || realm === host || rules().upstreamAt(realm) !== undefined;
  if (challenge === '' || !leadsHere) return welcome;
  const message = `${host} is away; who was let in before gets what is held here`;
  return errorReply(401, { code: 'UNAUTHORIZED', message }, { ...version, 'WWW-Authenticate': challenge });
}
