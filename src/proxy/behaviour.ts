import { parseChallenges } from '../upstream/challenge.ts';

/** What an answer to `GET /v2/` shows of who gave it. */
export interface Behaviour {
  readonly isRegistry: boolean;
  /** How it asks who somebody is. */
  readonly challenge: string | undefined;
}

type Headers = readonly (readonly [name: string, value: string])[];

/**
 * A registry says so (Docker-Distribution-Api-Version), or asks for a token of a service that it names: nothing else on the
 * internet answers so to `/v2/`.
 */
export function behaviourOf(status: number, headers: Headers): Behaviour {
  const challenge = status === 401 ? fieldIn(headers, 'www-authenticate') : undefined;
  const version = fieldIn(headers, 'docker-distribution-api-version') ?? '';
  const says = /^registry\/2/i.test(version) && (status === 200 || status === 401);
  return { isRegistry: says || tokenServiceIn(challenge)?.service !== undefined, challenge };
}

/** The host of the token service that a challenge names, with its port where that is not the usual one. */
export function realmIn(challenge: string | undefined): string | undefined {
  return tokenServiceIn(challenge)?.realm.host;
}

export function fieldIn(headers: Headers, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

function tokenServiceIn(challenge: string | undefined) {
  const bearer = parseChallenges(challenge).find(({ scheme }) => scheme === 'bearer')?.parameters;
  const realm = URL.parse(bearer?.get('realm') ?? '');
  return realm?.protocol === 'https:' ? { realm, service: bearer?.get('service') } : undefined;
}

/**
 * Whether a token service may be believed to be a registry's: its own host, or one of the same domain. A registry is made
 * by anybody; it must not choose for which hosts this proxy opens TLS.
 */
export function isOfSameDomain(realm: string, registry: string): boolean {
  if (realm === registry) return true;
  const host = realm.replace(/:\d+$/, '');
  const domain = domainOf(registry.replace(/:\d+$/, ''));
  return host === domain || host.endsWith(`.${domain}`);
}

/** One level above the host; the host itself where that may be a domain of which anybody has a part: `com`, `co.uk`. */
function domainOf(host: string): string {
  const [, ...parent] = host.split('.');
  const [first = ''] = parent;
  const isAnybodys = parent.length < 2 || (parent.length === 2 && first.length <= 3);
  return isAnybodys ? host : parent.join('.');
}
