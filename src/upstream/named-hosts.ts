import { isIP } from 'node:net';
import { builtinUpstreams } from '../config/builtin-upstreams.ts';
import type { UpstreamConfig } from '../config/config.ts';

/** What the operator, and nobody else, said about where an upstream may be. */
export interface NamedHosts {
  /** Lower case: these may be in private networks. */
  readonly hosts: ReadonlySet<string>;
  /** Addresses that stand in the configuration as they are. */
  readonly literals: readonly string[];
}

/** The hosts of the URL, the mirrors and the realms, without those that only the built-in table names. */
export function namedHosts(config: UpstreamConfig): NamedHosts {
  if (config.learned === true) return { hosts: new Set(), literals: [] };
  const urls = [
    config.url,
    ...config.mirrors.map(({ url }) => url),
    ...config.realms.map((realm) => `https://${realm}`),
  ];
  const given = urls.map(hostOf).filter((host) => host !== undefined);
  const known = knownHosts(config);
  return {
    hosts: new Set(given.filter((host) => !known.has(host))),
    literals: given.filter((host) => isIP(host) !== 0),
  };
}

function knownHosts({ builtIn, name }: UpstreamConfig): ReadonlySet<string> {
  if (!builtIn) return new Set();
  const entry = builtinUpstreams.find((upstream) => upstream.name === name);
  // An upstream that a wildcard stands for has its own name for a host.
  const urls = entry === undefined ? [`https://${name}`] : [entry.keys.url, ...realmUrls(entry.keys.realms)];
  return new Set(urls.map(hostOf).filter((host) => host !== undefined));
}

function realmUrls(realms: readonly string[] = []): readonly string[] {
  return realms.map((realm) => `https://${realm}`);
}

/** Without the brackets of an IPv6 address. */
function hostOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.replace(/^\[(.*)\]$/, '$1');
}
