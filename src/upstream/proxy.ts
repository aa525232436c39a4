import { BlockList, isIP } from 'node:net';
import type { Socket } from 'node:net';
import type { OutboundProxy } from '../config/config.ts';
import { Secret } from '../config/secret.ts';
import type { Target, Tunnel } from './dial.ts';
import { byWayOf } from './on-the-way.ts';
import { connectThrough } from './proxy-connect.ts';
import { socksThrough } from './proxy-socks.ts';

/** A proxy that takes a request for plain http whole. */
export interface ForwardProxy {
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How the outside is reached where it is not reached directly. */
export interface Proxies {
  /** For plain http through an http or https proxy: the request itself goes to it (RFC 9112, 3.2.2). */
  forward(url: URL): ForwardProxy | undefined;
  /** For all else: a connection through it. */
  tunnel(target: Target): Tunnel | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param configured counts for every host; without it the environment's HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY do,
 *   in lower or upper case, as in curl and Go
 * @param key what names it: `upstreams.quay.io.proxy`
 */
export function createProxies(
  configured: OutboundProxy | undefined,
  environment: Environment,
  key = 'upstreams.*.proxy',
): Proxies {
  const setting = configured === undefined ? 'HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY' : key;
  const choose = configured === undefined ? fromEnvironment(environment) : () => configured;
  return {
    forward(url) {
      if (url.protocol !== 'http:') return undefined;
      const proxy = choose(url.hostname.replace(/^\[|\]$/g, ''), portOf(url), false);
      if (proxy === undefined || isSocks(proxy)) return undefined;
      const header = proxyAuthorization(proxy);
      return {
        origin: new URL(proxy.url).origin,
        headers: header === undefined ? {} : { 'proxy-authorization': header },
      };
    },
    tunnel(target) {
      const proxy = choose(target.host, target.port, target.secure);
      if (proxy === undefined) return undefined;
      const place = { ...placeOf(proxy), setting };
      return (dial, signal) => byWayOf(place, throughProxy(proxy, target, dial, signal), signal);
    },
  };
}

async function throughProxy(
  proxy: OutboundProxy,
  target: Target,
  ...[dial, signal]: Parameters<Tunnel>
): Promise<Socket> {
  const socket = await dial(placeOf(proxy), signal);
  try {
    if (isSocks(proxy)) await socksThrough(socket, target, proxy, signal);
    else await connectThrough(socket, target, proxyAuthorization(proxy), signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

const socksPort = 1080;

function placeOf(proxy: OutboundProxy): Target {
  const url = new URL(proxy.url);
  const port = url.port === '' && isSocks(proxy) ? socksPort : portOf(url);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, secure: url.protocol === 'https:' };
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

function isSocks({ url }: OutboundProxy): boolean {
  return url.startsWith('socks');
}

function proxyAuthorization({ username, password }: OutboundProxy): string | undefined {
  if (username === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password?.reveal() ?? ''}`).toString('base64')}`;
}

type Choose = (host: string, port: number, secure: boolean) => OutboundProxy | undefined;

function fromEnvironment(environment: Environment): Choose {
  const variable = (name: string): string | undefined => {
    const value = environment[name.toLowerCase()] ?? environment[name];
    return value === undefined || value === '' ? undefined : value;
  };
  const all = parseProxy(variable('ALL_PROXY'));
  const plain = parseProxy(variable('HTTP_PROXY')) ?? all;
  const secure = parseProxy(variable('HTTPS_PROXY')) ?? all;
  if (plain === undefined && secure === undefined) return () => undefined;
  const spared = noProxy(variable('NO_PROXY') ?? '');
  return (host, port, isSecure) => (spared(host, port) ? undefined : isSecure ? secure : plain);
}

/** `proxy:3128` means http, as everywhere. What is no proxy is passed over: it is not our file. */
function parseProxy(text: string | undefined): OutboundProxy | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || url.hostname === '' || !/^(?:https?|socks(?:4a?|5h?)?):$/.test(url.protocol)) return undefined;
  try {
    return {
      url: `${url.protocol}//${url.host}`,
      username: url.username === '' ? undefined : decodeURIComponent(url.username),
      password: url.password === '' ? undefined : new Secret(decodeURIComponent(url.password)),
    };
  } catch {
    return undefined; // a % in the credentials that begins no character
  }
}

/**
 * Hosts that are reached directly: `example.com` and all below it, `.example.com`, `*.example.com`, `example.com:8443`,
 * addresses, CIDR ranges, `*`. Loopback is always spared, as in Go and curl.
 */
function noProxy(text: string): (host: string, port: number) => boolean {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const ranges = new BlockList();
  ranges.addSubnet('127.0.0.0', 8, 'ipv4');
  ranges.addAddress('::1', 'ipv6');
  const names: { readonly suffix: string; readonly port: number | undefined }[] = [];
  for (const entry of entries) {
    if (!addRange(ranges, entry)) names.push(nameEntry(entry.toLowerCase()));
  }
  return (host, port) => {
    const family = isIP(host);
    if (family !== 0) return entries.includes('*') || ranges.check(host, family === 4 ? 'ipv4' : 'ipv6');
    const name = host.toLowerCase().replace(/\.$/, '');
    if (name === 'localhost' || entries.includes('*')) return true;
    return names.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) &&
        (name === entry.suffix || name.endsWith(`.${entry.suffix}`)),
    );
  };
}

function addRange(ranges: BlockList, entry: string): boolean {
  const [address = '', bits] = entry.replace(/^\[(.*)\]$/, '$1').split('/');
  const family = isIP(address);
  if (family === 0) return false;
  const most = family === 4 ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  if (Number.isInteger(length) && length >= 0 && length <= most) {
    ranges.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6');
  }
  return true;
}

function nameEntry(entry: string): { readonly suffix: string; readonly port: number | undefined } {
  const [, name = entry, port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  return { suffix: name.replace(/^\*?\./, ''), port: port === undefined ? undefined : Number(port) };
}
