import type { OutboundProxy } from '../config/config.ts';
import type { Target, Tunnel } from './dial.ts';

/** A proxy that takes a request for plain http whole. */
export interface ForwardProxy {
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How the outside is reached where it is not reached directly. */
export interface Proxies {
  forward(url: URL): ForwardProxy | undefined;
  tunnel(target: Target): Tunnel | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function createProxies(_configured: OutboundProxy | undefined, _environment: Environment): Proxies {
  return { forward: () => undefined, tunnel: () => undefined };
}
