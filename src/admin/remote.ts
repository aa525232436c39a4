import { hash, timingSafeEqual } from 'node:crypto';
import { parseAuthorization } from '../access/authorization-header.ts';
import { Guesses } from '../access/guesses.ts';
import type { Secret } from '../config/secret.ts';
import type { Handler, Reply, Request } from '../http/message.ts';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';

export interface RemoteOptions {
  /** What a request has to show; without one nobody is let in. */
  readonly token: () => Secret | undefined;
  readonly clock: Clock;
  readonly failure: (error: unknown, request: Request, challenge: string) => Reply;
}

/** Before the path of the admin API, where it is among other things. */
export const remoteBase = '/admin';
const base = `${remoteBase}/v1/`;

/**
 * The admin API on the port of everybody, for whoever has the token. Where a request comes from is no proof of anything: a
 * reverse proxy may stand right here.
 */
export function withRemoteAdmin({ token, clock, failure }: RemoteOptions, admin: Handler, rest: Handler): Handler {
  const guesses = new Guesses(clock);
  const administer = async (request: Request, wanted: Secret): Promise<Reply> => {
    try {
      if (isShown(request, wanted)) return await admin(request);
      // Nobody guesses such a token; whoever tries is slowed, and whoever has it is not.
      await guesses.judged(request.clientAddress, remoteBase, async () => false);
      throw new RegistryError('UNAUTHORIZED', 'administration needs the token of admin.tokenfile; send it as a bearer');
    } catch (error) {
      return failure(error, request, 'Bearer realm="administration"');
    }
  };
  return (request) => {
    const wanted = token();
    const isMeant = wanted !== undefined && request.url.startsWith(base) && request.via === undefined;
    return isMeant ? administer(request, wanted) : rest(request);
  };
}

/** Hashes have the same length, and one says nothing about the other. */
function isShown({ headers }: Request, wanted: Secret): boolean {
  const brought = parseAuthorization(headers['authorization']);
  if (brought.kind !== 'token') return false;
  return timingSafeEqual(hash('sha256', brought.token, 'buffer'), hash('sha256', wanted.reveal(), 'buffer'));
}
