import type { AuthConfig } from '../config/config.ts';
import { ownService } from './own-tokens.ts';

/** Where our own token service is. Clients find it by the challenge; people may prefer the short one. */
export const tokenPaths: readonly string[] = ['/auth/token', '/token'];

/** What a challenge depends on besides the configuration. */
export interface Challenged {
  /** The URL below which the client finds everything here, without a trailing slash. */
  readonly base: string;
  /** For a token service that is said to be where we are: see `redirectBase` below. */
  readonly redirectBase: string;
  /** What a token has to be good for: `repository:app:pull,push`. */
  readonly scope: string | undefined;
  /** Why the token that came will not do (RFC 6750, 3.1). */
  readonly error: 'invalid_token' | 'insufficient_scope' | undefined;
}

/**
 * What WWW-Authenticate asks for; `undefined` where nobody can log in. Basic where there is nothing without a login: every
 * client understands it. Where there is something, dockerd and podman have to be asked for tokens instead: to a Basic
 * challenge they have nothing to say without a login, while anybody gets a token for what anybody may pull.
 */
export function challengeOf(auth: AuthConfig, isClosed: boolean, challenged: Challenged): string | undefined {
  if (auth.kind === 'none') return undefined;
  if (auth.kind === 'htpasswd' && isClosed) return `Basic realm=${quoted(auth.realm)}`;
  const { realm, service } = auth.kind === 'token' ? foreign(auth, challenged) : own(challenged);
  const { scope, error } = challenged;
  return [
    `Bearer realm=${quoted(realm)}`,
    `service=${quoted(service)}`,
    ...(scope === undefined ? [] : [`scope=${quoted(scope)}`]),
    ...(error === undefined ? [] : [`error=${quoted(error)}`]),
  ].join(',');
}

interface Service {
  readonly realm: string;
  readonly service: string;
}

function own({ base }: Challenged): Service {
  return { realm: `${base}${tokenPaths[0]}`, service: ownService };
}

function foreign(
  { realm, redirectPath, service }: AuthConfig & { kind: 'token' },
  { redirectBase }: Challenged,
): Service {
  return { realm: redirectPath === undefined ? realm : `${redirectBase}${redirectPath}`, service };
}

/** A quoted string (RFC 9110, 5.6.4); what cannot be in one is left out. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
