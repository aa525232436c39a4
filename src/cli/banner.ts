import type { Config, SizeLimit, UpstreamConfig } from '../config/config.ts';
import type { Loaded } from '../config/load.ts';
import { version } from '../observe/version.ts';
import { clientTarget } from './client-target.ts';
import { hostOf } from '../clients/target.ts';
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
  const host = hostOf(target);
  if (target.serves === 'none') {
    return ['A plain registry, as this configuration says; nothing is cached.', `  docker pull ${host}/NAME:TAG`];
  }
  if (target.serves === 'one') {
    return [
      `A cache of ${target.defaultUpstream} alone, as this configuration says.`,
      `  docker pull ${host}/NAME:TAG`,
      '  For docker, containerd and podman on client machines:  entrepot client RUNTIME',
    ];
  }
  return [
    'Try it from here:',
    `  docker pull ${host}/library/redis`,
    `  docker pull ${host}/quay.io/prometheus/prometheus`,
    'On client machines (all of it: entrepot client docker|containerd|podman):',
    `  dockerd      /etc/docker/daemon.json: {"registry-mirrors": ["${target.url}"]}, for Docker Hub only`,
    `  containerd   /etc/containerd/certs.d/_default/hosts.toml: [host."${target.url}"]`,
    `  podman       a [[registry.mirror]] of each registry: location = "${host}/quay.io"`,
    ...(/:\/\/(127\.|\[::1\]|localhost)/.test(target.url)
      ? ['  No other machine reaches this address: start with ENTREPOT_HTTP_ADDR=:5000 to serve them.']
      : []),
  ];
}

function exposure(config: Config): readonly string[] {
  const withCredentials = config.upstreams.filter(({ credentials }) => credentials.kind !== 'none');
  return [
    visitors(config),
    ...withCredentials.map((upstream) => `  ${upstream.name}: our credentials are used; ${exposureText(upstream)}`),
    ...(config.cache.offline ? ['Offline: no upstream is asked for anything; only what is held is served.'] : []),
  ];
}

/** What somebody finds who has not logged in. */
function visitors({ access: { rules }, mode, defaultUpstream }: Config): string {
  const open = rules.filter(({ who, may }) => may.length > 0 && who.some(({ kind }) => kind === 'anybody'));
  if (open.length === 0) return 'Users may do what the rules let them; who has not logged in may do nothing.';
  const where = mode === 'entrepot' ? 'every known public registry' : defaultUpstream;
  const what = mode === 'registry' ? 'what is held here' : `what is public at ${where}`;
  if (rules.length === 1 && open[0]?.on.includes('**')) return `Anonymous clients may pull ${what}.`;
  return `Anonymous clients may pull what the rules leave to them, of ${what}.`;
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
