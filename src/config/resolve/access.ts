import type { AccessConfig, AccessRule, AuthConfig, Mode, TokenAuthConfig, Who } from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import type { Resolving } from './resolving.ts';

/** Whom the file lets do everything when it has no rules: whoever `auth` lets in. */
const without: Readonly<Record<AuthConfig['kind'], Who>> = {
  none: { kind: 'anybody' },
  htpasswd: { kind: 'authenticated' },
  token: { kind: 'bearer' },
};

export function resolveAccess({ access }: Pick<FileConfig, 'access'>, auth: AuthConfig): AccessConfig {
  const everything: AccessRule = { who: [without[auth.kind]], may: ['pull', 'push', 'delete'], on: ['**'] };
  if (access === undefined) return { rules: [everything] };
  return { rules: access.map(({ who, may, on }) => ({ who, may: typeof may === 'string' ? [may] : may, on })) };
}

export function resolveAuth(auth: FileConfig['auth'], mode: Mode, resolving: Resolving): AuthConfig {
  const [first, second] = Object.entries(auth ?? {}).filter(([, value]) => value !== undefined);
  if (first !== undefined && second !== undefined)
    resolving.problem(['auth', second[0]], `a second way to log in beside ${first[0]}; leave one of them`);
  if (auth?.htpasswd !== undefined) return resolveHtpasswd(auth.htpasswd, mode, resolving);
  return auth?.token === undefined ? { kind: 'none' } : resolveToken(auth.token, resolving);
}

type Auth = NonNullable<FileConfig['auth']>;

/** registry makes the file when it is not there; where a file is ours, a path that is mistyped is an error. */
function resolveHtpasswd({ path, realm }: NonNullable<Auth['htpasswd']>, mode: Mode, resolving: Resolving): AuthConfig {
  const place = ['auth', 'htpasswd'];
  if (path === undefined) {
    resolving.problem(place, 'names no file; write auth.htpasswd.path');
    return { kind: 'none' };
  }
  const file =
    mode === 'entrepot' ? resolving.file([...place, 'path'], path) : resolving.optionalFile([...place, 'path'], path);
  return { kind: 'htpasswd', path: file, realm: realm ?? 'Entrepot' };
}

/** All that are safe to use; registry's own defaults. */
export const tokenAlgorithms = [
  'EdDSA',
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'HS256',
  'HS384',
  'HS512',
];

function resolveToken(token: NonNullable<Auth['token']>, resolving: Resolving): AuthConfig {
  const place = ['auth', 'token'];
  const { realm = '', service = '', issuer = '', rootcertbundle, jwks } = token;
  const redirects = token.autoredirect ?? false;
  for (const [key, value] of Object.entries({ realm: realm || redirects, service, issuer }))
    if (value === '' || value === false) resolving.problem(place, `${key} is missing; add auth.token.${key}`);
  if (rootcertbundle === undefined && jwks === undefined)
    resolving.problem(place, 'whose tokens are to be believed is missing; add rootcertbundle or jwks');
  return {
    kind: 'token',
    realm,
    service,
    issuer,
    rootCertificatesPath: rootcertbundle && resolving.file([...place, 'rootcertbundle'], rootcertbundle),
    keysPath: jwks && resolving.file([...place, 'jwks'], jwks),
    redirectPath: redirects ? (token.autoredirectpath ?? '/auth/token') : undefined,
    algorithms: algorithmsOf(token, resolving),
  };
}

function algorithmsOf(
  { signingalgorithms = [] }: NonNullable<Auth['token']>,
  resolving: Resolving,
): TokenAuthConfig['algorithms'] {
  for (const name of signingalgorithms) {
    if (!tokenAlgorithms.includes(name))
      resolving.problem(
        ['auth', 'token', 'signingalgorithms'],
        `${name} is not an algorithm that tokens are signed with here; use one of ${tokenAlgorithms.join(', ')}`,
      );
  }
  return signingalgorithms.length === 0 ? tokenAlgorithms : signingalgorithms;
}
