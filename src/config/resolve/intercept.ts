import type { AuthConfig, InterceptConfig, Mode } from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import { upstreamName } from '../value/upstream-name.ts';
import type { Resolving } from './resolving.ts';

/** Off in registry's modes: there, clients come for one registry only. */
export function resolveIntercept(
  intercept: FileConfig['intercept'],
  { mode, auth }: { readonly mode: Mode; readonly auth: AuthConfig },
  resolving: Resolving,
): InterceptConfig | undefined {
  if (mode !== 'entrepot') return undefined;
  if (intercept.hosts === undefined) resolving.derive('intercept.hosts', 'upstreams');
  const hosts = hostsOf(intercept.hosts ?? ['upstreams'], resolving);
  if (hosts.kind === 'list' && hosts.names.length === 0) {
    if (intercept.addr.length > 0)
      resolving.problem(['intercept', 'addr'], 'is for hosts that are intercepted; name some in intercept.hosts');
    return undefined;
  }
  checkLogin(intercept, auth, resolving);
  return {
    hosts,
    others: intercept.others,
    ports: intercept.ports,
    dial: intercept.dial,
    resolver: intercept.resolver,
    listen: intercept.addr,
    clients: intercept.clients,
    auth: intercept.auth,
    push: intercept.push,
    proofMs: intercept.proof,
    outageMs: intercept.outage,
  };
}

/** Names lead clients here who do not know that this is a proxy: they cannot be asked to log in to it. */
function checkLogin(
  { auth: wanted, addr, clients }: FileConfig['intercept'],
  auth: AuthConfig,
  resolving: Resolving,
): void {
  if (wanted !== 'required') return;
  const place = ['intercept', 'auth'];
  if (auth.kind !== 'htpasswd') resolving.problem(place, 'nobody can log in; write auth.htpasswd');
  if (addr.length > 0 && clients.length === 0) {
    resolving.problem(place, 'who comes by intercept.addr cannot log in; say in intercept.clients who that may be');
  }
}

function hostsOf(given: readonly string[], resolving: Resolving): InterceptConfig['hosts'] {
  const [first] = given;
  if (given.length === 1 && first === 'upstreams') return { kind: 'upstreams' };
  if (given.length === 1 && first === '*') return { kind: 'any' };
  const names = given.map((text) => {
    const name = upstreamName(text);
    if (name === undefined) {
      const advice = 'write upstreams, "*", or a list of hosts such as [quay.io, registry.example.com:5000]';
      resolving.problem(['intercept', 'hosts'], `${JSON.stringify(text)} is not a host; ${advice}`);
    }
    return name;
  });
  return { kind: 'list', names: names.filter((name) => name !== undefined) };
}
