import { builtinUpstreams } from '../../builtin-upstreams.ts';
import { isGiven, problem } from './said.ts';
import type { Said } from './said.ts';

/**
 * `AUTH_REGISTRIES`: `HOST:USER:PASSWORD` items; the host may be a registry or its token service. Whoever could reach that
 * proxy could pull what these credentials can read, and so it is here, with a word at start.
 */
export function credentialsOf(said: Said): void {
  const { env, understood } = said;
  if (!isGiven(env, 'AUTH_REGISTRIES')) return;
  const name = 'AUTH_REGISTRIES';
  const items = (env[name] ?? '').split(env['AUTH_REGISTRIES_DELIMITER'] ?? ' ').filter((item) => item.trim() !== '');
  const delimiter = env['AUTH_REGISTRY_DELIMITER'] ?? ':';
  for (const [position, item] of items.entries()) {
    const [host, username, ...rest] = item.trim().split(delimiter);
    const password = rest.join(delimiter);
    if (host === undefined || host === '' || username === undefined || password === '') {
      // Not the item itself: it may hold a password.
      const text = `holds something else than HOST${delimiter}USER${delimiter}PASSWORD as its item ${position + 1}; correct it, or set AUTH_REGISTRY_DELIMITER`;
      understood.problems.push(problem(name, text));
      continue;
    }
    if (isExample(host)) continue;
    const upstream = upstreamOf(host, said);
    understood.settings.push(
      { path: ['upstreams', upstream, 'credentials'], value: { username, password }, name },
      { path: ['upstreams', upstream, 'exposure'], value: 'anyone', name },
    );
    if (upstream !== host && !isBuiltInRealm(host)) {
      understood.settings.push({ path: ['upstreams', upstream, 'realms'], value: [host], name });
    }
    understood.notices.push(
      `whoever reaches this server can pull whatever ${username} may pull from ${upstream}, as docker-registry-proxy has it; set upstreams.${upstream}.exposure to authenticated to change that`,
    );
  }
}

/** What its image comes with. */
function isExample(host: string): boolean {
  return host === 'some.authenticated.registry' || host === 'another.registry';
}

/** The registry whose token service it is: known ones, or the one registry of the same domain. */
function upstreamOf(host: string, { hosts }: Said): string {
  const builtIn = builtinUpstreams.find(({ keys }) => keys.realms?.includes(host));
  if (builtIn !== undefined) return builtIn.name;
  if (hosts.includes(host)) return host;
  const related = hosts.filter((each) => each.endsWith(`.${host}`) || domainOf(each) === domainOf(host));
  return related.length === 1 && related[0] !== undefined ? related[0] : host;
}

function isBuiltInRealm(host: string): boolean {
  return builtinUpstreams.some(({ keys }) => keys.realms?.includes(host));
}

function domainOf(host: string): string {
  return host.split('.').slice(-2).join('.');
}
