import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { ServerTls } from '../certificates/server-tls.ts';
import type { HttpConfig, ListenAddress } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import { shownCertificate } from './client-certificate.ts';
import { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { peekFirstByte, tlsHandshake } from './first-byte.ts';
import { plainAddress, TrustedProxies } from './forwarded.ts';
import { makeHttpServer, takeConnections } from './http-server.ts';
import { listenerLimits } from './limits.ts';
import type { ListenerLimits } from './limits.ts';
import type { Interception } from './interception.ts';
import type { Handler, Lobby } from './message.ts';
import { refuseConnect, refuseUnparsed } from './refuse.ts';
import type { Peer } from './request.ts';
import { TlsDoor } from './tls-door.ts';
import { Tunnels } from './tunnels.ts';

export interface ListenerOptions {
  readonly handler: Handler;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly lobby?: Lobby;
  /** With it, the port speaks TLS; without, plain HTTP only. */
  readonly tls?: ServerTls | undefined;
  readonly trustedProxies?: readonly string[];
  /** Sent with every answer. */
  readonly headers?: HttpConfig['headers'];
  readonly limits?: Partial<ListenerLimits>;
  /** With it, clients may use this server as their proxy. */
  readonly interception?: Interception | undefined;
  /** The configuration's key of the address, for errors; default `http.addr`. */
  readonly setting?: string;
}

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

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
    this.#http = makeHttpServer(this.#limits);
    this.#speakHttp = takeConnections(this.#http, (socket) => this.#accept(socket));
    this.#serve();
    this.#tls = options.tls && this.#makeTlsDoor(options.tls);
    this.#tunnels = options.interception && this.#makeTunnels(options.interception);
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
    this.#http.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => this.#onClientError(error, stream));
    this.#http.on('timeout', (socket: Socket) => this.#onSilence(socket));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#endWhenEmpty();
    });
    const tls = this.#tls;
    if (tls === undefined) return this.#begin(socket, plain);
    this.#greeting.add(socket);
    socket.once('close', () => this.#greeting.delete(socket));
    peekFirstByte(socket, this.#limits.headersMsMax, (first) => {
      this.#greeting.delete(socket);
      if (first === tlsHandshake) tls.enter(socket);
      else this.#begin(socket, this.#options.tls?.plain === false ? plainOnly : plain);
    });
  }

  #begin(socket: Socket, kind: PeerKind): void {
    if (this.#draining) {
      socket.destroy();
      return;
    }
    const address = plainAddress(socket.remoteAddress);
    const trusted = kind.via === undefined && this.#context.proxies.trust(address);
    const peer = { address, port: socket.remotePort, trusted, ...kind };
    const connection = new Connection(socket, peer);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.abandon();
      this.#endWhenEmpty();
    });
    this.#speakHttp(socket);
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
    if (this.#tunnels === undefined || peer.via !== undefined) {
      return refuseConnect(this.#context, peer, incoming, stream);
    }
    // It speaks HTTP no more; what is spoken inside has a connection of its own.
    this.#connections.delete(socket);
    void this.#tunnels.open({ peer, incoming, socket, head });
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

  #makeTlsDoor(tls: ServerTls): TlsDoor {
    return new TlsDoor(tls, this.#limits.headersMsMax, (socket) => {
      const { certificate, refusal } = shownCertificate(socket, tls.clients);
      this.#begin(socket, { secure: true, via: undefined, clientCertificate: certificate, refusal });
    });
  }

  #makeTunnels(interception: Interception): Tunnels {
    const own = this.#tls && ((socket: Socket): void => this.#tls?.enter(socket));
    return new Tunnels(this.#context, interception, own, (socket, via, servername) => {
      this.#begin(socket, { secure: true, via, servername, ...nobody });
    });
  }
}

/** What the way by which a client came says of it. */
type PeerKind = Omit<Peer, 'address' | 'port' | 'trusted'>;

const nobody = { clientCertificate: undefined, refusal: undefined };
const plain: PeerKind = { secure: false, via: undefined, ...nobody };

/** Begins as Go's own answer does, which people search for. */
const plainOnly: PeerKind = {
  ...plain,
  refusal: {
    status: 400,
    code: 'REQUEST_INVALID',
    message:
      'Client sent an HTTP request to an HTTPS server. Ask with https:// instead (docker: take this host out of insecure-registries), or set http.tls.plain: true at the server for both',
  },
};

function makeContext(options: ListenerOptions, limits: ListenerLimits, isDraining: () => boolean): ExchangeContext {
  const prefix = randomBytes(4).toString('hex');
  let count = 0;
  return {
    handler: options.handler,
    lobby: options.lobby ?? (() => undefined),
    observer: options.observer,
    clock: options.clock,
    pool: options.pool,
    proxies: new TrustedProxies(options.trustedProxies ?? []),
    fixedHeaders: (options.headers ?? []).flatMap(([name, values]) => values.flatMap((value) => [name, value])),
    limits,
    nextId: () => `${prefix}-${(count++).toString(36)}`,
    isDraining,
  };
}

function bound(address: AddressInfo): BoundAddress {
  return { host: address.address, port: address.port };
}

function cannotListen(where: string, setting: string, cause: unknown): RegistryError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `another process listens there; stop it or set another ${setting}`,
    EACCES: `this user may not listen there; set ${setting} to a port from 1024 on, or grant the right`,
    EADDRNOTAVAIL: `this machine does not have that address; set ${setting} to one that it has`,
    ENOTFOUND: `no address is known for that name; set ${setting} to an address of this machine`,
  };
  const text = why[code] ?? `${cause instanceof Error ? cause.message : String(cause)}; check ${setting}`;
  return new RegistryError('UNAVAILABLE', `cannot listen on ${where}: ${text}`, { origin: 'operator', cause });
}
