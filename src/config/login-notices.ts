import type { AuthFiles } from './auth-files.ts';
import type { Config, Who } from './config.ts';
import { isLoopback } from './value/address.ts';

/** What an operator should know of logins: what can be loaded, but hardly is what was meant. */
export function loginNotices({ auth, access, http }: Config, { users }: AuthFiles): readonly string[] {
  const named = access.rules.flatMap(({ who }) => who).filter(({ kind }) => kind !== 'anybody' && kind !== 'bearer');
  const notices = http.tls?.clients?.verified === true ? [] : nameless(named, auth.kind, users);
  return auth.kind === 'htpasswd' && isOpenNetwork(http) ? [...notices, openPasswords(http)] : notices;
}

/** Certificates can be made out to anybody; without them, whoever a rule names has to be in the file. */
function nameless(named: readonly Who[], how: Config['auth']['kind'], users: AuthFiles['users']): readonly string[] {
  if (named.length > 0 && how === 'none')
    return ['access is about users, but nobody can log in: set auth.htpasswd, auth.token, or http.tls.clientcas'];
  if (how !== 'htpasswd') return [];
  return [
    ...namesOf(named, 'user')
      .filter((name) => users?.has(name) === false)
      .map((name) => `access names ${name}, who is not in the file of users: \`entrepot htpasswd ${name}\` adds one`),
    ...namesOf(named, 'group').map(
      (name) =>
        `access names group:${name}, but users of auth.htpasswd are in no group: list them, or use auth.token or certificates`,
    ),
  ];
}

function namesOf(named: readonly Who[], kind: 'user' | 'group'): readonly string[] {
  return [...new Set(named.flatMap((who) => (who.kind === kind && 'name' in who ? [who.name] : [])))];
}

function openPasswords({ tls }: Config['http']): string {
  return tls === undefined
    ? 'passwords come over plain http: set http.tls, or have a proxy with TLS in front and name it in http.trustedproxies'
    : 'passwords may come over plain http, which the port takes beside TLS: set http.tls.plain to false';
}

function isOpenNetwork({ tls, trustedProxies, listen }: Config['http']): boolean {
  return (
    (tls === undefined || tls.plain) && trustedProxies.length === 0 && !listen.every(({ host }) => isLoopback(host))
  );
}
