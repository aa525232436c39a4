import { networkInterfaces } from 'node:os';
import { factsOf, targetAt } from '../clients/facts.ts';
import type { ClientTarget } from '../clients/target.ts';
import type { Config, ListenAddress } from '../config/config.ts';
import { urlHost } from '../config/value/address.ts';
import { version } from '../observe/version.ts';

/** The cache as clients of this configuration see it, at `url` where one is given; no server is asked. */
export function clientTarget(config: Config, url = clientUrl(config)): ClientTarget {
  const target = targetAt(url, factsOf(config, { server: undefined, interception: undefined }, version));
  const own = url.startsWith('https:') && config.http.tls?.auto === true;
  const unknown = { pem: undefined };
  const interception = config.intercept === undefined ? undefined : unknown;
  return { ...target, authority: own ? unknown : undefined, interception };
}

/** The configured external URL, else the first address that it listens on, as another machine would name it. */
export function clientUrl({ http }: Config): string {
  if (http.externalUrl !== undefined) return http.externalUrl;
  const [listen] = http.listen;
  const scheme = http.tls === undefined ? 'http' : 'https';
  const host = listen?.host === undefined || isEveryAddress(listen) ? machineAddress() : listen.host;
  return `${scheme}://${urlHost(host)}:${listen?.port ?? 5000}`;
}

/** Of the machine, whichever it has. */
export function isEveryAddress({ host }: ListenAddress): boolean {
  return host === undefined || host === '0.0.0.0' || host === '::';
}

/** An address of this machine that others reach, if it has one. */
function machineAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = addresses.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0);
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}
