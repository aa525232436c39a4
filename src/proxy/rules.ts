import type { Config, InterceptConfig, UpstreamConfig } from '../config/config.ts';
import type { AdmissionRules } from './admission.ts';
import type { InterceptRules } from './decide.ts';

export interface ProxyRules extends InterceptRules, AdmissionRules {}

/** The configuration's tables, ready to be asked. */
export interface Tables {
  find(host: string): UpstreamConfig | undefined;
  readonly learned: { byRealm(host: string): UpstreamConfig | undefined };
  readonly routing: { isOwnName(host: string): boolean };
  readonly permissions: { readonly isClosed: boolean };
}

/** What the configuration says of the proxy. */
export function proxyRules(
  { upstreams }: Pick<Config, 'upstreams'>,
  intercept: InterceptConfig,
  tables: Tables,
): ProxyRules {
  const { hosts, others, ports, clients, auth } = intercept;
  const listed = hosts.kind === 'list' ? new Set(hosts.names.map((name) => tables.find(name)?.name)) : undefined;
  const isMeant = (name: string | undefined): boolean => listed === undefined || listed.has(name);
  const realms = ownersOfRealms(upstreams);
  const explores = hosts.kind === 'any';
  return {
    isOwnName: (name) => tables.routing.isOwnName(name),
    explores,
    others,
    ports,
    clients,
    mustLogIn: auth === 'required' || (auth === 'rules' && tables.permissions.isClosed),
    upstreamAt: (name) => {
      const known = tables.find(name)?.name ?? realms.get(name);
      const upstream = known ?? (explores ? tables.learned.byRealm(name)?.name : undefined);
      return upstream !== undefined && isMeant(upstream) ? upstream : undefined;
    },
  };
}

const realmOwners = new WeakMap<readonly UpstreamConfig[], ReadonlyMap<string, string>>();

/** Several registries may share a token service: it is that one's of whose domain it is, or of who comes first. */
function ownersOfRealms(upstreams: readonly UpstreamConfig[]): ReadonlyMap<string, string> {
  const known = realmOwners.get(upstreams);
  if (known !== undefined) return known;
  const owners = new Map<string, string>();
  for (const { name, realms } of upstreams) {
    for (const realm of realms) if (!owners.has(realm) || realm.endsWith(`.${name}`)) owners.set(realm, name);
  }
  realmOwners.set(upstreams, owners);
  return owners;
}
