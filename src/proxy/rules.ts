import type { Config, InterceptConfig, UpstreamConfig } from '../config/config.ts';
import type { InterceptRules } from './decide.ts';

export interface ProxyRules extends InterceptRules {
  /** Addresses and CIDR ranges that may use the proxy; empty is everybody. */
  readonly clients: readonly string[];
}

/** The configuration's tables, ready to be asked. */
export interface Tables {
  find(host: string): UpstreamConfig | undefined;
  readonly routing: { isOwnName(host: string): boolean };
}

/** What the configuration says of the proxy. */
export function proxyRules(
  { upstreams }: Pick<Config, 'upstreams'>,
  intercept: InterceptConfig,
  tables: Tables,
): ProxyRules {
  const { hosts, others, ports, clients } = intercept;
  const listed = hosts.kind === 'list' ? new Set(hosts.names.map((name) => tables.find(name)?.name)) : undefined;
  const isMeant = (name: string | undefined): boolean => listed === undefined || listed.has(name);
  const realms = new Map(upstreams.flatMap(({ name, realms: each }) => each.map((realm) => [realm, name] as const)));
  return {
    isOwnName: (name) => tables.routing.isOwnName(name),
    others,
    ports,
    clients,
    upstreamAt: (name) => {
      const upstream = tables.find(name)?.name ?? realms.get(name);
      return upstream !== undefined && isMeant(upstream) ? upstream : undefined;
    },
  };
}
