import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ServerTls } from '../certificates/server-tls.ts';
import type { ListenAddress } from '../config/config.ts';
import { beneath } from './beneath.ts';
import { shownCertificate } from './client-certificate.ts';
import { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { plainAddress } from './forwarded.ts';
import { makeHttpServer, takeConnections } from './http-server.ts';
import { listenerLimits } from './limits.ts';
import type { ListenerLimits } from './limits.ts';
import type { Interception } from './interception.ts';
import { bound, cannotListen, makeContext } from './listening.ts';
import type { BoundAddress } from './listening.ts';
import type { ListenerOptions } from './listener-options.ts';
import { NamesDoor } from './names-door.ts';
import { nobody, plain, plainOnly } from './peer-kinds.ts';
import type { PeerKind } from './peer-kinds.ts';
import { refuseConnect, refuseSilent, refuseUnparsed } from './refuse.ts';
import type { Peer } from './request.ts';
import { ShortWay } from './short-way.ts';
import { TlsDoor } from './tls-door.ts';
import type { Secured } from './tls-ends.ts';
import { mayTunnel, Tunnels } from './tunnels.ts';
import type { Connecting } from './tunnels.ts';
import { mayUpgrade, openUpgrade } from './upgrades.ts';
import { anyHost } from './via.ts';

export type { ListenerOptions } from './listener-options.ts';

export interface Listener {
  /** @throws RegistryError `UNAVAILABLE` (origin `operator`) when the address cannot be used */
  listen(address: ListenAddress): Promise<BoundAddress>;
  /** On a unix socket, made at this path. Throws as `listen` does. */
  listenAt(socketPath: string): Promise<void>;
  /** `undefined` before `listen` and after `close`. */
  readonly address: BoundAddress | undefined;
  readonly connections: number;
  /** Accepts nothing more, lets running requests end, and destroys what is left after so many milliseconds. */
  close(deadlineMs: number): Promise<void>;
}

export function createListener(options: ListenerOptions): Listener {
  return new PortListener(options);
}

/** Connections that the kernel accepts for us while we are busy: a fleet that starts at once. */
const connectBacklog = 4_096;

class PortListener implements Listener {
  readonly #options: ListenerOptions;
  readonly #limits: ListenerLimits;
  readonly #context: ExchangeContext;
  readonly #http: HttpServer;
  readonly #tls: TlsDoor | undefined;
  readonly #tunnels: Tunnels | undefined;
  readonly #names: NamesDoor | undefined;
  /** Node's own way from a socket to requests. */
  readonly #speakHttp: (socket: Socket) => void;
  /** Every accepted socket; one that speaks TLS is beneath another. */
  readonly #sockets = new Set<Socket>();
  /** Those that have not sent a byte yet. */
  readonly #greeting = new Set<Socket>();
  /** By the socket that speaks HTTP. */
  readonly #connections = new Map<Socket, Connection>();
  readonly #ended = Promise.withResolvers<void>();
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limits = { ...listenerLimits, ...options.limits };
    this.#context = makeContext(options, this.#limits, () => this.#draining);
    this.#http = makeHttpServer(this.#limits, (socket) => this.#mayUpgrade(socket));
    this.#speakHttp = takeConnections(this.#http, (socket) => this.#accept(socket));
    this.#serve();
    const { tls, interception, named = false } = options;
    this.#tls = tls && this.#makeTlsDoor(tls, named ? 'name' : undefined);
    this.#tunnels = named ? undefined : interception && this.#makeTunnels(interception, tls);
    this.#names = named ? interception && this.#makeNamesDoor(interception) : undefined;
  }

  get address(): BoundAddress | undefined {
    const address = this.#http.address();
    return address === null || typeof address === 'string' ? undefined : bound(address);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(address: ListenAddress): Promise<BoundAddress> {
    await this.#listen({ port: address.port, host: address.host }, `${address.host ?? ''}:${address.port}`);
    return this.address ?? { host: address.host ?? '', port: address.port };
  }

  async listenAt(socketPath: string): Promise<void> {
    await this.#listen({ path: socketPath }, socketPath);
  }

  async #listen(where: ListenOptions, text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once('error', reject);
    this.#http.listen({ ...where, backlog: connectBacklog }, resolve);
    try {
      await promise;
    } catch (cause) {
      throw cannotListen(text, this.#options.setting ?? 'http.addr', cause);
    }
    this.#http.removeListener('error', reject);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#draining = true;
    this.#http.close();
    for (const socket of this.#greeting) socket.destroy();
    for (const { socket, current } of this.#connections.values()) if (current === undefined) socket.destroy();
    const deadline = this.#options.clock.setTimer(deadlineMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    this.#endWhenEmpty();
    await this.#ended.promise;
    deadline.cancel();
  }

  #serve(): void {
    const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => this.#answer(incoming, outgoing);
    this.#http.on('request', answer);
    // Whoever waits for "100 Continue" gets it when a handler reads the body, and otherwise the answer itself.
    this.#http.on('checkContinue', answer);
    this.#http.on('checkExpectation', answer);
    this.#http.on('connect', (incoming: IncomingMessage, stream: Duplex, head: Buffer) =>
      this.#onConnect(incoming, stream, head),
    );
    this.#http.on('upgrade', (incoming: IncomingMessage, _stream: Duplex, head: Buffer) =>
      this.#onUpgrade(incoming, head),
    );
    this.#http.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => this.#onClientError(error, stream));
    this.#http.on('timeout', (socket: Socket) => this.#onSilence(socket));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#endWhenEmpty();
    });
    if (this.#names !== undefined) return this.#names.enter(socket);
    const tls = this.#tls;
    if (tls === undefined) return this.#begin(socket, plain);
    this.#greeting.add(socket);
    socket.once('close', () => this.#greeting.delete(socket));
    tls.meet(socket, this.#options.clock, (protocols) => {
      this.#greeting.delete(socket);
      if (protocols !== undefined) tls.enter(socket, protocols);
      else this.#begin(socket, this.#options.tls?.plain === false ? plainOnly : plain);
    });
  }

  #begin(socket: Socket, kind: PeerKind): void {
    if (this.#draining) {
      socket.destroy();
      return;
    }
    const { remoteAddress, remotePort: port } = beneath(socket);
    const address = plainAddress(remoteAddress);
    const trusted = kind.via === undefined && this.#context.proxies.trust(address);
    const peer = { address, port, trusted, ...kind };
    const connection = new Connection(socket, peer);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.abandon();
      this.#endWhenEmpty();
    });
    const { isShort } = this.#options;
    // Where each request says for itself whom it is for, there is more to be asked.
    if (isShort === undefined || peer.via?.host === anyHost) return this.#speakHttp(socket);
    const tunnels = mayTunnel(peer) ? this.#tunnels : undefined;
    void new ShortWay(this.#context, connection, isShort, {
      speakHttp: (headersMsLeft) => {
        this.#speakHttp(socket);
        if (headersMsLeft !== undefined) this.#awaitHeaders(connection, headersMsLeft);
      },
      openTunnel: tunnels && ((asked) => this.#openTunnel(tunnels, { peer, socket, ...asked })),
    });
  }

  /** It speaks HTTP no more; what is spoken inside has a connection of its own. */
  #openTunnel(tunnels: Tunnels, connecting: Connecting): void {
    this.#connections.delete(connecting.socket);
    void tunnels.open(connecting);
  }

  /** Node counts from when it was given the connection, which is not when the client made it. */
  #awaitHeaders(connection: Connection, ms: number): void {
    const { socket, peer } = connection;
    const late = this.#options.clock.setTimer(ms, () => {
      if (connection.isUsed || !this.#connections.delete(socket)) return;
      refuseSilent(this.#context, peer, socket);
    });
    socket.once('close', () => late.cancel());
  }

  #endWhenEmpty(): void {
    if (this.#draining && this.#sockets.size === 0 && this.#connections.size === 0) this.#ended.resolve();
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const connection = this.#connections.get(incoming.socket);
    if (connection === undefined || connection.waitingCount >= this.#limits.pipelinedMax) {
      incoming.socket.destroy();
      return;
    }
    const exchange = new Exchange(this.#context, connection.peer, incoming, outgoing);
    outgoing.once('close', () => {
      connection.leave(exchange);
      if (this.#draining && connection.current === undefined) connection.end();
    });
    connection.enter(exchange);
  }

  #onConnect(incoming: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { socket } = incoming;
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.current !== undefined) {
      stream.destroy();
      return;
    }
    const { peer } = connection;
    if (this.#tunnels === undefined || !mayTunnel(peer)) return refuseConnect(this.#context, peer, incoming, stream);
    const proxyAuthorization = incoming.headers['proxy-authorization'];
    this.#openTunnel(this.#tunnels, { peer, socket, target: incoming.url ?? '', proxyAuthorization, head });
  }

  #mayUpgrade(socket: Socket): boolean {
    const peer = this.#connections.get(socket)?.peer;
    return peer !== undefined && mayUpgrade(this.#context, peer);
  }

  #onUpgrade(incoming: IncomingMessage, head: Buffer): void {
    const { socket } = incoming;
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.current !== undefined) {
      socket.destroy();
      return;
    }
    this.#connections.delete(socket);
    void openUpgrade(this.#context, connection.peer, { incoming, socket, head });
  }

  #onClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
    const connection = this.#connections.get(stream as Socket);
    if (connection === undefined || error.code === 'ECONNRESET' || error.code === 'EPIPE') stream.destroy();
    else if (!connection.isEnding && connection.endAfterCurrent() === undefined) {
      refuseUnparsed(this.#context, connection.peer, error, stream);
    }
  }

  /** Nothing moved for a while. While a handler still works on the answer that is nobody's fault. */
  #onSilence(socket: Socket): void {
    const current = this.#connections.get(socket)?.current;
    if (current === undefined || current.isSending || current.isReceiving) socket.destroy();
  }

  #makeTlsDoor(tls: ServerTls, within: Peer['within']): TlsDoor {
    return new TlsDoor(tls, this.#limits.headersMsMax, (socket) => {
      const { certificate, refusal } = shownCertificate(socket, tls.clients);
      this.#begin(socket, { secure: true, via: undefined, within, clientCertificate: certificate, refusal });
    });
  }

  #makeTunnels(interception: Interception, tls: ServerTls | undefined): Tunnels {
    const door = tls && this.#makeTlsDoor(tls, 'tunnel');
    const own = door && ((socket: Socket): void => door.enter(socket));
    return new Tunnels(this.#context, interception, own, this.#beginAt());
  }

  #makeNamesDoor(interception: Interception): NamesDoor {
    const { headersMsMax } = this.#limits;
    const tls = this.#tls;
    return new NamesDoor(this.#context, interception, {
      own: tls && ((socket, protocols) => tls.enter(socket, protocols)),
      secured: this.#beginAt(),
      plain: (socket) => {
        socket.setTimeout(headersMsMax);
        this.#begin(socket, { ...plain, via: { kind: 'host', host: anyHost } });
      },
    });
  }

  #beginAt(): Secured {
    return (socket, via, servername) => this.#begin(socket, { secure: true, via, servername, ...nobody });
  }
}
