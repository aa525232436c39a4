import { isIPv6 } from 'node:net';
import { upstreamName } from '../config/value/upstream-name.ts';

/** Where a client wants to be connected to. */
export interface Target {
  /** Without the brackets of an IPv6 address; lower case. */
  readonly host: string;
  readonly port: number;
  /** Both, as upstreams are named: without the default port. */
  readonly name: string;
}

const charactersMax = 300;

/** `host:port` (RFC 9112, 3.2.3), nothing else; `undefined` for what is none. */
export function parseTarget(text: string): Target | undefined {
  if (text.length > charactersMax || !/^[!-~]+:\d{1,5}$/.test(text)) return undefined;
  const port = Number(text.slice(text.lastIndexOf(':') + 1));
  const name = upstreamName(text);
  if (name === undefined || port < 1 || port > 65_535) return undefined;
  return { host: hostOf(name), port, name };
}

/** The host of an upstream's name. */
export function hostOf(name: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))/.exec(name) ?? [];
  return bracketed !== undefined && isIPv6(bracketed) ? bracketed : (plain ?? name);
}
