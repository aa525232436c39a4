import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { ListenAddress } from '../config.ts';
import { quoted, ValueError } from './value-error.ts';

/**
 * Where to listen, as registry writes it: ":5000" (every address), "127.0.0.1:5000", "[::1]:5000", "localhost:0".
 * @throws ValueError
 */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/u.exec(text.trim()) ?? [];
  if (port === undefined) {
    const hint = /^\d+$/u.test(text) ? `write :${text}` : 'write host:port, [IPv6]:port or :port';
    throw new ValueError(`${quoted(text)} is not an address to listen on; ${hint}`);
  }
  if (Number(port) > portMax) throw new ValueError(`${quoted(text)} has no such port; write one up to ${portMax}`);
  if (bracketed !== undefined && !isIPv6(bracketed))
    throw new ValueError(`${quoted(text)} has no IPv6 address in its brackets; write [::1]:${port}`);
  const host = bracketed ?? name ?? '';
  return { host: host === '' ? undefined : host, port: Number(port) };
}

/** An address, or the path of a unix socket, which has a slash. */
export type ListenPlace = ListenAddress | { readonly socket: string };

/** @throws ValueError */
export function parseListenPlace(text: string): ListenPlace {
  return text.includes('/') ? { socket: text.trim() } : parseListenAddress(text);
}

/**
 * What stands before `/v2/` in paths: empty, or with a slash at its start only.
 * @throws ValueError
 */
export function parsePathPrefix(text: string): string {
  const path = text.trim().replace(/\/+$/u, '');
  if (path === '' || /^(?:\/[A-Za-z0-9._~-]+)+$/u.test(path)) return path;
  throw new ValueError(`${quoted(text)} is not a path; write one such as /registry/`);
}

/** A host as it stands in a URL: IPv6 in brackets (RFC 3986, 3.2.2). */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** A host that only programs of the same machine reach, as it stands in an address or a URL. */
export function isLoopback(host: string | undefined): boolean {
  return host !== undefined && /^(?:127\.|\[?::1\]?$|localhost$)/u.test(host);
}

/**
 * An address or a CIDR range, as written.
 * @throws ValueError
 */
export function parseNetwork(text: string): string {
  const [address, bits, ...more] = text.trim().split('/');
  const family = isIP(address ?? '');
  const bitsMax = family === 4 ? 32 : 128;
  const fits = bits === undefined || (/^\d{1,3}$/u.test(bits) && Number(bits) <= bitsMax);
  if (family === 0 || !fits || more.length > 0) {
    throw new ValueError(`${quoted(text)} is not an address or a range; write one such as 10.0.0.7 or 10.0.0.0/8`);
  }
  return text.trim().toLowerCase();
}

/**
 * A DNS server: an address with or without a port.
 * @throws ValueError
 */
export function parseNameServer(text: string): string {
  const server = text.trim();
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/u.exec(server) ?? [];
  const good = isIPv6(server) || isIPv6(bracketed ?? '') || isIPv4(plain ?? '');
  if (!good || Number(port ?? 0) > portMax) {
    throw new ValueError(`${quoted(text)} is not a DNS server; write its address, such as 10.0.0.53 or 10.0.0.53:5353`);
  }
  return server;
}

const portMax = 65_535;
