import { networkInterfaces } from 'node:os';
import type { ClientTarget } from '../clients/client-config.ts';
import type { Config } from '../config/config.ts';

/** The cache as clients of this configuration see it, at `url` where one is given. */
export function clientTarget(config: Config, url: string | undefined): ClientTarget {
  return {
    url: url ?? clientUrl(config),
    serves: config.mode === 'entrepot' ? 'every' : config.mode === 'registry-proxy' ? 'one' : 'none',
    upstreams: config.upstreams.map(({ name }) => name),
    defaultUpstream: config.defaultUpstream,
  };
}

/** The configured external URL, else the first address that it listens on, as another machine would name it. */
export function clientUrl({ http }: Config): string {
  if (http.externalUrl !== undefined) return http.externalUrl;
  const [listen] = http.listen;
  const scheme = http.tls === undefined ? 'http' : 'https';
  const host = listen?.host ?? machineAddress();
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${bracketed}:${listen?.port ?? 5000}`;
}

/** An address of this machine that others reach, if it has one. */
function machineAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = addresses.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0);
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}
