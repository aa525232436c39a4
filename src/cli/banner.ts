import type { Config, SizeLimit, UpstreamConfig } from '../config/config.ts';
import type { Loaded } from '../config/load.ts';
import { version } from '../observe/version.ts';
import { clientTarget, isEveryAddress } from './client-target.ts';
import { hostOf, isPlainHttp } from '../clients/target.ts';
import type { ClientTarget } from '../clients/target.ts';
import { isLoopback } from '../config/value/address.ts';
import { whoMay } from './banner-access.ts';
import { bytesText } from './units.ts';

/** What an operator should see at start: where it listens, what to tell clients, who sees what, what is kept. */
export function bannerText({ config, notices }: Loaded, addresses: readonly string[], adminSocket: string): string {
  const sections = [
    [`Entrepot ${version} listens on ${addresses.join(', ')}`],
    routes(config, addresses),
    exposure(config),
    keeping(config, adminSocket),
    notices.map((notice) => `Note: ${notice}`),
  ];
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return `\n${text.join('\n\n')}\n\n`;
}

function routes(config: Config, addresses: readonly string[]): readonly string[] {
  const [address] = addresses;
  // A port that was given as 0 is known only now.
  const bound = address !== undefined && config.http.listen[0]?.port === 0 ? address : undefined;
  const target = clientTarget(config, bound);
  const { host, condition } = fromHere(config.http, target, bound);
  if (target.serves === 'none') {
    return [
      'A plain registry, as this configuration says; nothing is cached.',
      `Try it from here:  docker pull ${host}/NAME:TAG`,
      ...condition,
    ];
  }
  if (target.serves === 'one') {
    return [
      `A cache of ${target.defaultUpstream} alone, as this configuration says.`,
      `Try it from here:  docker pull ${host}/NAME:TAG`,
      ...condition,
      '  For docker, containerd and podman on client machines:  entrepot client RUNTIME',
    ];
  }
  return [
    'Try it from here:',
    `  docker pull ${host}/library/redis`,
    `  docker pull ${host}/quay.io/prometheus/prometheus`,
    ...condition,
    'On client machines (all of it: entrepot client docker|containerd|podman):',
    `  dockerd      /etc/docker/daemon.json: {"registry-mirrors": ["${target.url}"]}, for Docker Hub only`,
    `  containerd   /etc/containerd/certs.d/_default/hosts.toml: [host."${target.url}"]`,
    `  podman       a [[registry.mirror]] of each registry: location = "${hostOf(target)}/quay.io"`,
    ...distance(config.http, target),
  ];
}

/** How docker on this machine asks for it. Over plain HTTP it takes nothing but from loopback, unless it is told to. */
function fromHere(
  { listen: [listen] }: Config['http'],
  target: ClientTarget,
  bound: string | undefined,
): { readonly host: string; readonly condition: readonly string[] } {
  const host = hostOf(target);
  if (!isPlainHttp(target) || isLoopback(new URL(target.url).hostname)) return { host, condition: [] };
  if (listen !== undefined && isEveryAddress(listen)) {
    const port = bound === undefined ? listen.port : new URL(bound).port;
    return { host: `127.0.0.1:${port}`, condition: [] };
  }
  return { host, condition: [`  once /etc/docker/daemon.json has it: {"insecure-registries": ["${host}"]}`] };
}

/** Where no other machine gets to that URL: why, and what helps. */
function distance({ listen }: Config['http'], { url }: ClientTarget): readonly string[] {
  if (!isLoopback(new URL(url).hostname)) return [];
  return listen.every(({ host }) => isLoopback(host))
    ? ['  No other machine reaches this address: start with ENTREPOT_HTTP_ADDR=:5000 to serve them.']
    : ['  This machine has no other address yet: put the one by which others reach it in the place of this.'];
}

function exposure(config: Config): readonly string[] {
  const withCredentials = config.upstreams.filter(({ credentials }) => credentials.kind !== 'none');
  return [
    ...whoMay(config),
    ...withCredentials.map((upstream) => `  ${upstream.name}: our credentials are used; ${exposureText(upstream)}`),
    ...(config.cache.offline ? ['Offline: no upstream is asked for anything; only what is held is served.'] : []),
  ];
}

function exposureText({ exposure: who }: UpstreamConfig): string {
  if (who === 'anyone') return 'ANYONE may pull what only they can see (exposure: anyone)';
  if (who === 'passthrough') return 'a client sees what its own credentials let it see (exposure: passthrough)';
  return 'what only they can see is for authenticated clients (exposure: authenticated)';
}

function keeping({ cache, storage, index, http }: Config, adminSocket: string): readonly string[] {
  const where = storage.driver === 'filesystem' ? storage.rootDirectory : 'memory, lost at the end';
  const known = index.kind === 'sqlite' ? `, index in ${index.path}` : '';
  const metrics = http.debug === undefined ? [] : [`  metrics    ${debugText(http.debug)}`];
  return [
    'Kept:',
    `  content    ${where}${known}`,
    `  limit      ${limitText(cache.size)}, and ${limitText(cache.diskFree)} stays free`,
    ...metrics,
    `  admin      ${adminSocket} (entrepot ls, du, explain, pull, pin, purge ...)`,
  ];
}

function debugText({ listen, prometheusPath }: NonNullable<Config['http']['debug']>): string {
  return `http://${listen.host ?? 'localhost'}:${listen.port}${prometheusPath ?? '/healthz'}`;
}

function limitText(limit: SizeLimit | Config['cache']['size']): string {
  if (limit.kind === 'bytes') return bytesText(limit.sizeBytes);
  return limit.kind === 'percent'
    ? `${limit.percent} % of the disk`
    : `${limit.percent} % of what was free at first start`;
}
