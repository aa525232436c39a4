/**
 * One origin of the upstream: a port that can be taken away, given back, or left to swallow whatever arrives.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ServerCertificate } from './certificates.ts';
import { HeldPort } from './ports.ts';
import { Throttle } from './throttle.ts';
import type { HostIdentity } from './upstream-ledger.ts';

export interface ListenerOptions {
  readonly host: HostIdentity;
  readonly address: string;
  readonly certificate: ServerCertificate | undefined;
  readonly bytesPerSecondEach: number | undefined;
  readonly serve: (listener: Listener, request: IncomingMessage, response: ServerResponse) => void;
}

/**
 * A plain TCP server takes the connections and hands them to an HTTP server that never listens itself. So a black hole
 * swallows a connection before its TLS handshake, as a dead machine does.
 */
export class Listener implements AsyncDisposable {
  readonly host: HostIdentity;
  /** True while everything that arrives is swallowed. */
  swallowing = false;
  #connections = 0;
  readonly #options: ListenerOptions;
  readonly #held: HeldPort;
  readonly #http: HttpServer;
  readonly #sockets = new Set<Socket>();
  readonly #throttles = new WeakMap<Socket, Throttle>();
  #tcp: Server | undefined;

  private constructor(options: ListenerOptions, held: HeldPort) {
    this.#held = held;
    this.host = options.host;
    this.#options = options;
    const serve = (request: IncomingMessage, response: ServerResponse): void => options.serve(this, request, response);
    this.#http = options.certificate ? createHttpsServer(options.certificate, serve) : createHttpServer(serve);
    // The exchange lives as long as the test wants: a stalled client or a closed gate is no reason to hang up.
    this.#http.requestTimeout = 0;
    this.#http.keepAliveTimeout = 0;
  }

  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options, await HeldPort.take());
    await listener.up();
    return listener;
  }

  /** `127.0.0.1:12345` */
  get authority(): string {
    return `${this.#options.address}:${this.port}`;
  }

  get origin(): string {
    return `${this.#options.certificate ? 'https' : 'http'}://${this.authority}`;
  }

  get port(): number {
    return this.#held.port;
  }

  /** How many TCP connections were accepted so far. */
  get connections(): number {
    return this.#connections;
  }

  get listening(): boolean {
    return this.#tcp !== undefined;
  }

  /** Takes the connections of the outside world again, on the same port as before. */
  async up(): Promise<void> {
    if (this.swallowing) this.#destroySockets();
    this.swallowing = false;
    if (this.#tcp) return;
    const tcp = createServer({ noDelay: true, allowHalfOpen: !this.#options.certificate }, (socket) =>
      this.#accept(socket),
    );
    tcp.listen(this.port, this.#options.address);
    await once(tcp, 'listening');
    this.#tcp = tcp;
  }

  /** Cuts every connection; new ones are refused. */
  async down(): Promise<void> {
    const tcp = this.#tcp;
    this.#tcp = undefined;
    this.#destroySockets();
    if (!tcp) return;
    tcp.close();
    await once(tcp, 'close');
  }

  /** Accepts connections and requests, and says nothing more on any of them. */
  blackhole(): void {
    this.swallowing = true;
  }

  /** What is left of the bandwidth of the connection that this request came over. */
  throttle(request: IncomingMessage): Throttle | undefined {
    const rate = this.#options.bytesPerSecondEach;
    if (rate === undefined) return undefined;
    const throttle = this.#throttles.get(request.socket) ?? new Throttle(rate);
    this.#throttles.set(request.socket, throttle);
    return throttle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    this.#held[Symbol.dispose]();
  }

  #accept(socket: Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    if (this.swallowing) socket.pause();
    else this.#http.emit('connection', socket);
  }

  #destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Ends a connection the hard way: the peer sees ECONNRESET. Under TLS it is the TCP connection that is reset. */
export function resetConnection(socket: Socket | TLSSocket): void {
  socket.resetAndDestroy();
}
