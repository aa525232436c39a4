import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { ServerTls } from '../certificates/server-tls.ts';
import type { HttpConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Interception } from './interception.ts';
import type { ListenerLimits } from './limits.ts';
import type { Handler, Lobby } from './message.ts';
import type { IsShort } from './short-way.ts';

export interface ListenerOptions {
  readonly handler: Handler;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly lobby?: Lobby;
  /** Requests that are answered without Node's HTTP. Default: none. */
  readonly isShort?: IsShort | undefined;
  /** With it, the port speaks TLS; without, plain HTTP only. */
  readonly tls?: ServerTls | undefined;
  readonly trustedProxies?: readonly string[];
  /** Sent with every answer. */
  readonly headers?: HttpConfig['headers'];
  readonly limits?: Partial<ListenerLimits>;
  /** With it, clients may use this server as their proxy. */
  readonly interception?: Interception | undefined;
  /** Names of other registries lead here. */
  readonly named?: boolean;
  /** What requests of our own say that they came by: they are not to come here. */
  readonly mark?: string | undefined;
  /** The configuration's key of the address, for errors; default `http.addr`. */
  readonly setting?: string;
}
