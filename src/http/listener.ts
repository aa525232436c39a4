import { randomBytes } from 'node:crypto';
import { Server as HttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { HttpConfig, ListenAddress } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import { plainAddress, TrustedProxies } from './forwarded.ts';
import type { Handler } from './message.ts';
import { refuseConnect, refuseUnparsed } from './refuse.ts';
import { readTls } from './tls.ts';
import type { TlsOptions } from './tls.ts';

export interface ListenerOptions {
  readonly handler: Handler;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly pool: BufferPool;
  /** With it, the port speaks TLS and plain HTTP; without, plain HTTP only. */
  readonly tls?: TlsOptions | undefined;
  readonly trustedProxies?: readonly string[];
  /** Sent with every answer. */
  readonly headers?: HttpConfig['headers'];
  readonly limits?: Partial<ListenerLimits>;
}

/** Every default with its reason, where it is not obvious. */
export interface ListenerLimits {
  /** Request line and headers together. Podman asks for up to 1,024 ranges of a blob at once: some 24 KiB. */
  readonly headerBytesMax: number;
  /** For a TLS handshake, and for the headers of a request, from their first byte on (from connecting, for the first). */
  readonly headersMsMax: number;
  /** For a request with its body. */
  readonly requestMsMax: number;
  /** How long an idle connection is kept; above the 60 s of common load balancers. */
  readonly keepAliveMs: number;
  /** How long a client may take no bytes at all while there are some for it. */
  readonly stallMsMax: number;
  readonly connectionsMax: number;
  /** Pipelined requests that wait for an answer before them. */
  readonly pipelinedMax: number;
  /** Of a request whose body nobody reads. */
  readonly requestBodyBytesMax: number;
}

export const listenerLimits: ListenerLimits = {
  headerBytesMax: 32 * 1024,
  headersMsMax: 10_000,
  requestMsMax: 60_000,
  keepAliveMs: 90_000,
  stallMsMax: 120_000,
  connectionsMax: 10_000,
  pipelinedMax: 64,
  requestBodyBytesMax: 1024 * 1024,
};

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  /** @throws RegistryError `UNAVAILABLE` (origin `operator`) when the address or the certificate cannot be used */
  listen(address: ListenAddress): Promise<BoundAddress>;
  /** On a unix socket, made at this path. Throws as `listen` does. */
  listenAt(socketPath: string): Promise<void>;
  /** `undefined` before `listen` and after `close`. */
  readonly address: BoundAddress | undefined;
  readonly connections: number;
  /** Reads certificate and key again; on an error the old ones stay in use. */
  reloadTls(): Promise<void>;
  /** Accepts nothing more, lets running requests end, and destroys what is left after so many milliseconds. */
  close(deadlineMs: number): Promise<void>;
}

export function createListener(options: ListenerOptions): Listener {
  return new PortListener(options);
}

/** A TLS record of type handshake (RFC 8446, 5.1); no HTTP method begins with it. */
const tlsHandshake = 0x16;
/** Node looks for overdue headers so often, in milliseconds. */
const checkMs = 2_000;
/** Connections that the kernel accepts for us while we are busy: a fleet that starts at once. */
const connectBacklog = 4_096;

class PortListener implements Listener {
  readonly #options: ListenerOptions;
  readonly #limits: ListenerLimits;
  readonly #context: ExchangeContext;
  readonly #http: HttpServer;
  readonly #tls: TlsServer | undefined;
  /** Node's own way from a socket to requests. */
  readonly #speakHttp: (socket: Socket) => void;
  /** Every accepted socket; one that speaks TLS is beneath another. */
  readonly #sockets = new Set<Socket>();
  /** Those that have not sent a byte yet. */
  readonly #greeting = new Set<Socket>();
  /** By the socket that speaks HTTP. */
  readonly #connections = new Map<Socket, Connection>();
  #draining = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limits = { ...listenerLimits, ...options.limits };
    this.#context = makeContext(options, this.#limits, () => this.#draining);
    this.#http = makeHttpServer(this.#limits);
    this.#speakHttp = takeConnections(this.#http, (socket) => this.#accept(socket));
    this.#serve();
    this.#tls = options.tls === undefined ? undefined : this.#makeTlsServer();
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
    await this.reloadTls();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http.once('error', reject);
    this.#http.listen({ ...where, backlog: connectBacklog }, resolve);
    try {
      await promise;
    } catch (cause) {
      throw cannotListen(text, cause);
    }
    this.#http.removeListener('error', reject);
  }

  async reloadTls(): Promise<void> {
    if (this.#tls === undefined || this.#options.tls === undefined) return;
    this.#tls.setSecureContext(await readTls(this.#options.tls));
  }

  async close(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const ended = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    for (const socket of this.#greeting) socket.destroy();
    for (const { socket, current } of this.#connections.values()) if (current === undefined) socket.destroy();
    const deadline = this.#options.clock.setTimer(deadlineMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await ended;
    deadline.cancel();
  }

  #serve(): void {
    const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => this.#answer(incoming, outgoing);
    this.#http.on('request', answer);
    // Whoever waits for "100 Continue" gets the answer itself: nothing here reads a body yet.
    this.#http.on('checkContinue', answer);
    this.#http.on('checkExpectation', answer);
    this.#http.on('connect', (incoming: IncomingMessage, stream: Duplex) => this.#onConnect(incoming, stream));
    this.#http.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => this.#onClientError(error, stream));
    this.#http.on('timeout', (socket: Socket) => this.#onSilence(socket));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const tls = this.#tls;
    if (tls === undefined) return this.#begin(socket, false);
    this.#greeting.add(socket);
    socket.once('close', () => this.#greeting.delete(socket));
    peekFirstByte(socket, this.#limits.headersMsMax, (first) => {
      this.#greeting.delete(socket);
      if (first === tlsHandshake) tls.emit('connection', socket);
      else this.#begin(socket, false);
    });
  }

  #begin(socket: Socket, secure: boolean): void {
    if (this.#draining) {
      socket.destroy();
      return;
    }
    const address = plainAddress(socket.remoteAddress);
    const peer = { address, trusted: this.#context.proxies.trust(address), secure };
    const connection = new Connection(socket, peer);
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.abandon();
    });
    this.#speakHttp(socket);
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
      if (this.#draining && connection.current === undefined) connection.socket.destroySoon();
    });
    connection.enter(exchange);
  }

  #onConnect(incoming: IncomingMessage, stream: Duplex): void {
    const connection = this.#connections.get(incoming.socket);
    if (connection === undefined || connection.current !== undefined) stream.destroy();
    else refuseConnect(this.#context, connection.peer, incoming, stream);
  }

  #onClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
    const connection = this.#connections.get(stream as Socket);
    if (connection === undefined || connection.current !== undefined) stream.destroy();
    else refuseUnparsed(this.#context, connection.peer, error, stream);
  }

  /** Nothing moved for a while. While a handler still works on the answer that is nobody's fault. */
  #onSilence(socket: Socket): void {
    const current = this.#connections.get(socket)?.current;
    if (current === undefined || current.isSending) socket.destroy();
  }

  #makeTlsServer(): TlsServer {
    const server = new TlsServer({
      handshakeTimeout: this.#limits.headersMsMax,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    });
    server.on('secureConnection', (socket: TLSSocket) => this.#begin(socket, true));
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    return server;
  }
}

function makeContext(options: ListenerOptions, limits: ListenerLimits, isDraining: () => boolean): ExchangeContext {
  const prefix = randomBytes(4).toString('hex');
  let count = 0;
  return {
    handler: options.handler,
    observer: options.observer,
    clock: options.clock,
    pool: options.pool,
    proxies: new TrustedProxies(options.trustedProxies ?? []),
    fixedHeaders: (options.headers ?? []).flatMap(([name, values]) => values.flatMap((value) => [name, value])),
    requestBodyBytesMax: limits.requestBodyBytesMax,
    nextId: () => `${prefix}-${(count++).toString(36)}`,
    isDraining,
  };
}

function makeHttpServer(limits: ListenerLimits): HttpServer {
  const server = new HttpServer({
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersMsMax,
    requestTimeout: limits.requestMsMax,
    connectionsCheckingInterval: Math.min(checkMs, limits.headersMsMax),
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
    keepAlive: true,
    // The exchange asks for it itself, to answer in JSON.
    requireHostHeader: false,
    optimizeEmptyRequests: true,
    // Never lenient about what is framed twice or half (RFC 9112, 6.3 and 11.2).
    insecureHTTPParser: false,
  });
  server.maxConnections = limits.connectionsMax;
  server.timeout = limits.stallMsMax;
  return server;
}

/**
 * Puts `accept` before Node's own connection listener and returns the latter. One server for plain and decrypted sockets:
 * one set of limits, time-outs and listeners for both.
 */
function takeConnections(server: HttpServer, accept: (socket: Socket) => void): (socket: Socket) => void {
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', accept);
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}

function peekFirstByte(socket: Socket, msMax: number, then: (first: number) => void): void {
  const fail = (): void => {
    socket.destroy();
  };
  const look = (): void => {
    const chunk: Buffer | null = socket.read(1);
    if (chunk === null) return;
    socket.removeListener('readable', look).removeListener('error', fail).removeListener('end', fail);
    socket.removeListener('timeout', fail).setTimeout(0);
    socket.unshift(chunk);
    then(chunk[0] ?? 0);
  };
  socket.on('readable', look).once('error', fail).once('end', fail).setTimeout(msMax, fail);
}

function bound(address: AddressInfo): BoundAddress {
  return { host: address.address, port: address.port };
}

function cannotListen(where: string, cause: unknown): RegistryError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another process listens there; stop it or set another http.addr',
    EACCES: 'this user may not listen there; set http.addr to a port from 1024 on, or grant the right',
    EADDRNOTAVAIL: 'this machine does not have that address; set http.addr to one that it has',
    ENOTFOUND: 'no address is known for that name; set http.addr to an address of this machine',
  };
  const text = why[code] ?? `${cause instanceof Error ? cause.message : String(cause)}; check http.addr`;
  return new RegistryError('UNAVAILABLE', `cannot listen on ${where}: ${text}`, { origin: 'operator', cause });
}
