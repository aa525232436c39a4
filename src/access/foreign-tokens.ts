import type { JWTPayload } from 'jose';
import type { AuthFiles } from '../config/auth-files.ts';
import type { TokenAuthConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Bearer } from './own-tokens.ts';
import type { Scope } from './scopes.ts';
import { TrustedKeys } from './trusted-keys.ts';
import type { SignedBy } from './trusted-keys.ts';

/** Two machines' clocks differ; registry's own number, in seconds. */
const leewaySeconds = 60;
/** In characters: a token with hundreds of scopes and a chain of certificates. */
const tokenMax = 16 * 1024;

/** Reads the tokens of somebody else's service (Docker's token specification, "Authorization Service"). */
export function createForeignTokens(
  config: TokenAuthConfig,
  files: AuthFiles,
  clock: Pick<Clock, 'now'>,
): (token: string) => Promise<Bearer | undefined> {
  const trusted = new TrustedKeys(files);
  const rules = {
    algorithms: [...config.algorithms],
    issuer: config.issuer,
    audience: config.service,
    clockTolerance: leewaySeconds,
    requiredClaims: ['exp'],
  };
  return async (token) => {
    if (token.length > tokenMax) return undefined;
    const { decodeProtectedHeader, jwtVerify } = await import('jose');
    const nowMs = clock.now();
    const header = headerOf(() => decodeProtectedHeader(token));
    for (const key of trusted.candidates(header, nowMs)) {
      try {
        const { payload } = await jwtVerify(token, key, { ...rules, currentDate: new Date(nowMs) });
        return bearerOf(payload);
      } catch {
        // Another key may have signed it.
      }
    }
    return undefined;
  };
}

function headerOf(decode: () => SignedBy): SignedBy {
  try {
    return decode();
  } catch {
    // Nobody is called so.
    return { kid: '\0' };
  }
}

/** Whoever signed it may leave out everything but the rights, and write nonsense into the rest. */
function bearerOf({ sub, exp = 0, ...claims }: JWTPayload): Bearer {
  const { access, groups } = claims;
  return {
    user: sub ?? '',
    groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    scopes: Array.isArray(access) ? access.filter(isScope) : [],
    expiresAtMs: (exp + leewaySeconds) * 1_000,
  };
}

function isScope(value: unknown): value is Scope {
  if (typeof value !== 'object' || value === null) return false;
  const { type, name, actions } = value as Partial<Record<keyof Scope, unknown>>;
  const isList = Array.isArray(actions) && actions.every((action) => typeof action === 'string');
  return typeof type === 'string' && typeof name === 'string' && isList;
}
