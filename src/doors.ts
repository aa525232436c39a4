import { hostname } from 'node:os';
import { prepareSocket, protectSocket } from './admin/socket.ts';
import { BufferPool } from './bytes/buffer-pool.ts';
import type { ServerTls } from './certificates/server-tls.ts';
import type { AdminConfig, HttpConfig, ListenAddress } from './config/config.ts';
import { urlHost } from './config/value/address.ts';
import type { Interception } from './http/interception.ts';
import { createListener } from './http/listener.ts';
import type { Listener, ListenerOptions } from './http/listener.ts';
import type { Handler, Lobby } from './http/message.ts';
import type { IsShort } from './http/short-way.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import { messageOf } from './oci/errors.ts';

/** What the doors for clients lead to. */
export interface Behind {
  readonly handler: Handler;
  readonly lobby: Lobby;
  readonly isShort: IsShort;
  readonly tls: ServerTls | undefined;
  /** Clients may use them as their proxy. */
  readonly interception: Interception | undefined;
  /** Where names of other registries lead here. */
  readonly named: readonly ListenAddress[];
}

/** Every listener of ours, opened and closed together. */
export class Doors {
  readonly #observer: Observer;
  /** For what operators and probes ask: no part of the traffic that the access log and the metrics tell of. */
  readonly #unseen: Observer;
  readonly #clock: Clock;
  /** What requests of our own say that they came by. */
  readonly #mark: string | undefined;
  readonly #pool = new BufferPool();
  readonly #public: Listener[] = [];
  readonly #private: Listener[] = [];

  constructor(observer: Observer, clock: Clock, mark?: string) {
    this.#mark = mark;
    this.#observer = observer;
    this.#unseen = { emit: (event) => (event.type === 'request.done' ? undefined : observer.emit(event)) };
    this.#clock = clock;
  }

  /** @returns where it listens now, as URLs */
  async open(
    http: HttpConfig,
    { handler, lobby, isShort, tls, interception, named }: Behind,
  ): Promise<readonly string[]> {
    const told = {
      observer: this.#observer,
      mark: this.#mark,
      trustedProxies: http.trustedProxies,
      headers: http.headers,
    };
    const more = { ...told, lobby, isShort, tls, interception };
    const addresses: string[] = [];
    for (const wanted of http.listen) {
      const { port } = await this.#make(this.#public, handler, more).listen(wanted);
      addresses.push(`${tls === undefined ? 'http' : 'https'}://${urlHost(wanted.host ?? hostname())}:${port}`);
    }
    for (const wanted of named) {
      const setting = 'intercept.addr';
      const { port } = await this.#make(this.#public, handler, { ...more, setting, named: true }).listen(wanted);
      addresses.push(`names://${urlHost(wanted.host ?? hostname())}:${port}`);
    }
    for (const socket of http.sockets) {
      await prepareSocket(socket, 'http.addr');
      await this.#make(this.#public, handler, more).listenAt(socket);
      addresses.push(`unix:${socket}`);
    }
    return addresses;
  }

  /** Metrics and health. Where nobody asked for them, a port in use costs them and nothing else. */
  async openDebug({ debug }: HttpConfig, handler: Handler): Promise<void> {
    if (debug === undefined) return;
    try {
      const more = { observer: this.#unseen, setting: 'http.debug.addr' };
      await this.#make(this.#private, handler, more).listen(debug.listen);
    } catch (error) {
      if (debug.required) throw error;
      const why = messageOf(error);
      this.#observer.emit({ type: 'config.notice', message: `no metrics and health: ${why}` });
    }
  }

  /** @returns the path of the socket; empty where there is none */
  async openAdmin({ socket }: AdminConfig, handler: Handler): Promise<string> {
    if (socket === undefined) return '';
    await prepareSocket(socket, 'admin.socket');
    await this.#make(this.#private, handler, { observer: this.#unseen }).listenAt(socket);
    await protectSocket(socket);
    return socket;
  }

  /** Whoever balances load, or operates it, is answered until the last client is. */
  async close(drainMs: number): Promise<void> {
    await Promise.all(this.#public.splice(0).map((listener) => listener.close(drainMs)));
    await Promise.all(this.#private.splice(0).map((listener) => listener.close(0)));
  }

  #make(among: Listener[], handler: Handler, more: Omit<ListenerOptions, 'handler' | 'clock' | 'pool'>): Listener {
    const listener = createListener({ clock: this.#clock, pool: this.#pool, ...more, handler });
    among.push(listener);
    return listener;
  }
}
