import type { Duplex } from 'node:stream';
import type { Identity } from '../certificates/identity.ts';
import type { Guest, Reply, Request, Via } from './message.ts';

/** What a listener leaves to the transparent proxy: where tunnels lead, and in whose name connections are answered. */
export interface Interception {
  connect(request: ConnectRequest): Promise<ConnectAnswer>;
  /** The same for a TLS connection that a name led here. */
  greet(greeting: Greeting): Promise<ConnectAnswer>;
  /** Whether a request that names another host, in its target or by its Host field, is answered at all. */
  admit(request: ProxyRequest): Promise<Admission>;
  /** The answer of another host, to a request in absolute form; `undefined` where it is for us to answer. */
  outside(request: Request, where: Outside): Promise<Reply | ConnectRefusal | undefined>;
  /** A connection to where a request is to, that speaks something else from now on (RFC 9110, 7.8). */
  upgrade(request: Request, via: Via): Promise<UpgradeAnswer>;
  /** One of the names by which clients call this server; as upstreams are named. */
  isOwnName(name: string): boolean;
}

export interface ConnectRequest {
  /** As sent: `quay.io:443` (RFC 9112, 3.2.3). */
  readonly target: string;
  readonly clientAddress: string;
  /** Of this proxy, not of what is behind it; never to be kept or told. */
  readonly proxyAuthorization: string | undefined;
}

export type ProxyRequest = Omit<ConnectRequest, 'target'> & Pick<Via, 'kind'>;

/** What an absolute form begins with (RFC 9112, 3.2.2). */
export interface Outside {
  readonly via: Via;
  readonly scheme: string;
  /** As sent: `example.com`, `example.com:8080`. */
  readonly authority: string;
}

export type Admission = { readonly kind: 'admitted'; readonly guest: Guest | undefined } | ConnectRefusal;

export interface Greeting {
  readonly servername: string | undefined;
  readonly clientAddress: string;
}

/**
 * - `refuse`: it goes no further.
 * - `own`: it is to this server itself.
 * - `end`: its TLS ends here, and its requests are to that registry.
 * - `pass`: a connection to where it wants to go; its bytes go through untouched.
 */
export type ConnectAnswer =
  | ConnectRefusal
  | { readonly kind: 'own' }
  | { readonly kind: 'end'; readonly via: Via; readonly identity: Identity }
  | { readonly kind: 'pass'; readonly outside: Duplex };

export type UpgradeAnswer =
  | ConnectRefusal
  | {
      readonly kind: 'switched';
      readonly headers: readonly (readonly [name: string, value: string])[];
      readonly outside: Duplex;
    };

export interface ConnectRefusal {
  readonly kind: 'refuse';
  readonly status: number;
  readonly message: string;
  /** `Name: value` lines. */
  readonly headers?: readonly string[];
}
