import type { Config } from '../config/config.ts';
import type { ClientTarget } from './target.ts';

/** What a machine that is to become a client has to know of a server, besides its URL. */
export interface ClientFacts extends Omit<ClientTarget, 'url' | 'authority' | 'interception'> {
  readonly version: string;
  /** Authorities of the server's own, in PEM. */
  readonly authorities: { readonly server: string | undefined; readonly interception: string | undefined };
}

export function factsOf(config: Config, authorities: ClientFacts['authorities'], version: string): ClientFacts {
  return {
    version,
    serves: config.mode === 'entrepot' ? 'every' : config.mode === 'registry-proxy' ? 'one' : 'none',
    upstreams: config.upstreams.map(({ name }) => name),
    defaultUpstream: config.defaultUpstream,
    authorities,
  };
}

export function targetAt(url: string, { serves, upstreams, defaultUpstream, authorities }: ClientFacts): ClientTarget {
  const pem = url.startsWith('https:') ? authorities.server : undefined;
  return {
    url,
    serves,
    upstreams,
    defaultUpstream,
    authority: pem === undefined ? undefined : { pem },
    interception: authorities.interception === undefined ? undefined : { pem: authorities.interception },
  };
}

/** What a server answered; `undefined` when that is something else. */
export function parseFacts(text: string): ClientFacts | undefined {
  try {
    const value = JSON.parse(text) as Partial<ClientFacts> | null;
    const known = value !== null && Array.isArray(value.upstreams) && typeof value.serves === 'string';
    return known ? (value as ClientFacts) : undefined;
  } catch {
    return undefined;
  }
}
