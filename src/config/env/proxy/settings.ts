import { credentialsOf } from './credentials.ts';
import { freshnessOf } from './freshness.ts';
import { isGiven, isTrue, problem } from './said.ts';
import type { Said, Understood, Variables } from './said.ts';

/**
 * The environment of docker-registry-proxy (rpardini, 0.7.0) as keys of ours. Nothing, unless one of the variables that
 * only it has is there: `DEBUG`, `VERIFY_SSL` and nginx's time limits alone are anybody's.
 */
export function proxyVariables(env: Variables): Understood {
  const understood: Understood = { settings: [], problems: [], notices: [] };
  if (!proxysOwn.some((name) => isGiven(env, name))) return understood;
  const hosts = (env['REGISTRIES'] ?? registriesByDefault).split(/\s+/u).filter((host) => host !== '');
  const said = { env, hosts, understood };
  hostsOf(said);
  credentialsOf(said);
  freshnessOf(said);
  restOf(said);
  explain(said);
  return understood;
}

/** The entry point of the image (`deploy/image/`) has them, too. */
export const proxysOwn = [
  'REGISTRIES',
  'AUTH_REGISTRIES',
  'CACHE_MAX_SIZE',
  'ENABLE_MANIFEST_CACHE',
  'MANIFEST_CACHE_DEFAULT_TIME',
  'ALLOW_PUSH',
  'CA_CRT_FILE',
  'CA_KEY_FILE',
  'AUTH_REGISTRIES_DELIMITER',
  'AUTH_REGISTRY_DELIMITER',
  'MANIFEST_CACHE_PRIMARY_REGEX',
  'MANIFEST_CACHE_PRIMARY_TIME',
  'MANIFEST_CACHE_SECONDARY_REGEX',
  'MANIFEST_CACHE_SECONDARY_TIME',
  'CACHE_INACTIVE',
  'DISABLE_IPV6',
  'PROXY_REQUEST_BUFFERING',
  'PROXY_CONNECT_READ_TIMEOUT',
  'PROXY_CONNECT_CONNECT_TIMEOUT',
  'PROXY_CONNECT_SEND_TIMEOUT',
] as const;

const registriesByDefault = 'registry.k8s.io gcr.io quay.io ghcr.io';

function hostsOf({ env, hosts, understood: { settings } }: Said): void {
  const name = isGiven(env, 'REGISTRIES')
    ? 'REGISTRIES'
    : (proxysOwn.find((each) => isGiven(env, each)) ?? 'REGISTRIES');
  settings.push({ path: ['intercept', 'hosts'], value: ['docker.io', ...hosts], name });
  for (const host of hosts) settings.push({ path: ['upstreams', host], value: {}, name });
  settings.push({ path: ['intercept', 'others'], value: 'tunnel', name });
  settings.push({ path: ['http', 'addr'], value: ':3128', name });
}

function restOf({ env, hosts, understood: { settings, problems } }: Said): void {
  const { CACHE_MAX_SIZE: size } = env;
  if (size !== undefined && size !== '') {
    const [, number, unit] = /^(\d+)([kmg]?)$/iu.exec(size.trim()) ?? [];
    const value = `${number}${unit === '' ? '' : `${unit?.toUpperCase()}iB`}`;
    if (number === undefined) problems.push(problem('CACHE_MAX_SIZE', 'is not a size; write one such as 32g'));
    else settings.push({ path: ['cache', 'size'], value, name: 'CACHE_MAX_SIZE' });
  }
  const push = isTrue(env['ALLOW_PUSH']) ? 'passthrough' : 'refuse';
  settings.push({ path: ['intercept', 'push'], value: push, name: 'ALLOW_PUSH' });
  const authority = (['CA_CRT_FILE', 'CA_KEY_FILE'] as const).find((name) => isGiven(env, name));
  if (authority !== undefined) {
    const { CA_CRT_FILE: certificate = '/ca/ca.crt', CA_KEY_FILE: key = '/ca/ca.key' } = env;
    settings.push({ path: ['intercept', 'ca'], value: { certificate, key }, name: authority });
  }
  for (const host of ['docker.io', ...hosts]) {
    if (isFalse(env['VERIFY_SSL'])) {
      settings.push({ path: ['upstreams', host, 'insecure'], value: true, name: 'VERIFY_SSL' });
    }
    if (isTrue(env['DISABLE_IPV6'])) {
      settings.push({ path: ['upstreams', host, 'family'], value: '4', name: 'DISABLE_IPV6' });
    }
  }
}

/** Variables that are not needed here, and why. */
const explained: Readonly<Record<string, string>> = {
  CACHE_INACTIVE: 'content stays until room is needed; the least recently used goes first',
  PROXY_REQUEST_BUFFERING: 'uploads are never buffered',
  SEND_TIMEOUT: 'clients are given up when they take nothing for two minutes',
  CLIENT_BODY_TIMEOUT: 'an upload may take as long as it makes progress',
  CLIENT_HEADER_TIMEOUT: 'headers have ten seconds',
  KEEPALIVE_TIMEOUT: 'idle connections are kept for 90 s',
  PROXY_READ_TIMEOUT: 'write upstreams.NAME.timeouts instead',
  PROXY_CONNECT_TIMEOUT: 'write upstreams.NAME.timeouts instead',
  PROXY_SEND_TIMEOUT: 'write upstreams.NAME.timeouts instead',
  PROXY_CONNECT_READ_TIMEOUT: 'a tunnel may stay open as long as it is used',
  PROXY_CONNECT_CONNECT_TIMEOUT: 'write upstreams.NAME.timeouts instead',
  PROXY_CONNECT_SEND_TIMEOUT: 'a tunnel may stay open as long as it is used',
  CA_SRL_FILE: 'certificates are numbered at random',
  DEBUG: 'there is no web page; write log.level: debug',
  DEBUG_HUB: 'there is no web page; write log.level: debug',
  DEBUG_NGINX: 'there is no nginx here; write log.level: debug',
  ALLDOMAINS: 'certificates are made for the names that clients ask for',
  // Those of its forks.
  CACHE_DIRECTORY: 'write storage.filesystem.rootdirectory instead',
  CACHE_MIN_FREE: 'write cache.diskfree instead',
  CACHE_VALID_TIME: 'what is asked for by digest is good for ever; for tags write upstreams.NAME.freshness',
  CACHE_KEYS_ZONE: 'the index is on the disk, and has no limit of its own',
  ALLOW_OWN_AUTH: 'a client’s own credentials always count, for that client alone',
  ALLOW_PUSH_WITH_OWN_AUTH:
    'pushes have the client’s own credentials; to pass them on write intercept.push: passthrough',
  FORCE_UPSTREAM_HTTP_1_1: 'upstreams are always asked so',
  WORKER_PROCESSES: 'one process serves everybody',
  PROXY_BUFFERING: 'content is sent while it arrives',
};

function explain({ env, understood: { notices } }: Said): void {
  for (const [name, why] of Object.entries(explained)) {
    if (isGiven(env, name)) notices.push(`${name} is not needed and ignored: ${why}`);
  }
}

function isFalse(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'false';
}
