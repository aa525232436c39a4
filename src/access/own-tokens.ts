import { createHmac } from 'node:crypto';
import type { Clock } from '../observe/clock.ts';
import type { Scope } from './scopes.ts';

/** Our name in our own tokens: as their issuer, as their audience, and as the service that clients ask for. */
export const ownService = 'entrepot';
/** In seconds. Long enough for a pull to begin, short enough to be forgotten. */
export const tokenSeconds = 300;
const refreshSeconds = 90 * 24 * 3_600;

export interface OwnTokens {
  /** @param user empty for whoever did not log in */
  issue(user: string, scopes: readonly Scope[]): Promise<string>;
  /** `undefined` when it is none of ours, or not good any more. */
  read(token: string): Promise<Bearer | undefined>;
  /** Stands for the password until that changes. */
  issueRefresh(user: string): Promise<string>;
  /** The user whom it stands for. */
  readRefresh(token: string): Promise<string | undefined>;
}

export interface Bearer {
  readonly user: string;
  readonly groups: readonly string[];
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
}

const algorithm = 'HS256';

/**
 * Whoever has the key, that is every process over this store, can both make and read them. All of a user's end with his
 * password.
 * @param hashOf of a user's password, as it is now; `undefined` for whom there is not
 */
export function createOwnTokens(
  key: Uint8Array,
  clock: Pick<Clock, 'now'>,
  hashOf: (user: string) => string | undefined,
): OwnTokens {
  const seconds = (): number => Math.floor(clock.now() / 1_000);

  async function sign(audience: string, user: string, claims: object, lifeSeconds: number): Promise<string> {
    // With the first token: every start would wait for it, and most servers never see any.
    const { SignJWT } = await import('jose');
    const now = seconds();
    return new SignJWT({ ...claims, of: fingerprintOf(user) })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
      .setIssuer(ownService)
      .setAudience(audience)
      .setSubject(user)
      .setIssuedAt(now)
      .setExpirationTime(now + lifeSeconds)
      .sign(key);
  }

  async function claimsOf(token: string, audience: string): Promise<Claims | undefined> {
    try {
      const { jwtVerify } = await import('jose');
      const { payload } = await jwtVerify<Claims>(token, key, {
        algorithms: [algorithm],
        issuer: ownService,
        audience,
        currentDate: new Date(clock.now()),
        requiredClaims: ['exp', 'sub', 'of'],
      });
      return payload.of === fingerprintOf(payload.sub) ? payload : undefined;
    } catch {
      return undefined;
    }
  }

  /** Says which password it was without saying anything about it. Nobody has none. */
  function fingerprintOf(user: string): string | undefined {
    const passwordHash = user === '' ? '' : hashOf(user);
    if (passwordHash === undefined) return undefined;
    return createHmac('sha256', key).update(passwordHash).digest('base64url');
  }

  return {
    issue: (user, access) => sign(ownService, user, { access }, tokenSeconds),
    async read(token) {
      const claims = await claimsOf(token, ownService);
      if (claims === undefined) return undefined;
      return { user: claims.sub, groups: [], scopes: claims.access ?? [], expiresAtMs: claims.exp * 1_000 };
    },
    issueRefresh: (user) => sign(refreshAudience, user, {}, refreshSeconds),
    readRefresh: async (token) => (await claimsOf(token, refreshAudience))?.sub,
  };
}

/** Nobody can take one kind of token for the other. */
const refreshAudience = `${ownService} refresh`;

interface Claims {
  readonly sub: string;
  readonly exp: number;
  readonly access?: readonly Scope[];
  readonly of: string;
}
