import type { Connection } from './connection.ts';
import type { ExchangeContext } from './exchange.ts';
import { refuseSilent } from './refuse.ts';
import { ShortExchange } from './short-exchange.ts';
import type { Via } from './message.ts';
import { readConnect, readShort } from './short-request.ts';
import type { Fields, ShortConnect } from './short-request.ts';

/**
 * Requests of this kind are answered in one piece, soon, and without reading anything more of the client.
 *
 * @param via the registry that the whole connection is to, if it is to another one
 */
export type IsShort = (url: string, via: Via | undefined) => boolean;

/** Who takes the connection over. */
export interface Onward {
  /** @param headersMsLeft for a request that has begun to come */
  speakHttp(headersMsLeft: number | undefined): void;
  /** `undefined` where there are no tunnels, or is something to be said about them. */
  readonly openTunnel: ((asked: ShortConnect) => void) | undefined;
}

/**
 * The way that a connection begins on. Node's HTTP spends more on a request than all of our rules do; where a fleet asks for
 * the same manifests, that is most of what this server does. So what is simple beyond doubt is read and answered here, and
 * a tunnel is begun here. With the first request that is neither, the connection passes to Node's HTTP, for good.
 */
export class ShortWay {
  readonly #context: ExchangeContext;
  readonly #connection: Connection;
  readonly #isShort: IsShort;
  readonly #onward: Onward;
  readonly #startedMs: number;
  #fields: Fields | undefined;
  /** What came while a request was being answered. */
  #rest: Buffer | undefined;

  constructor(context: ExchangeContext, connection: Connection, isShort: IsShort, onward: Onward) {
    this.#context = context;
    this.#connection = connection;
    this.#isShort = isShort;
    this.#onward = onward;
    this.#startedMs = context.clock.monotonic();
    const { socket } = connection;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('timeout', this.#onTimeout);
    socket.on('close', this.#onClose).setTimeout(context.limits.headersMsMax);
  }

  readonly #onData = (chunk: Buffer): void => {
    const { socket, current } = this.#connection;
    if (current !== undefined) {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
      socket.pause();
      return;
    }
    const tunnel = this.#fields === undefined && this.#onward.openTunnel && readConnect(chunk);
    if (tunnel) return this.#begin(tunnel);
    const request = readShort(chunk, this.#fields);
    if (request === undefined || !this.#isShort(request.head.url ?? '', this.#connection.peer.via)) {
      return this.#passOn(chunk);
    }
    if (this.#fields === undefined) socket.setTimeout(this.#context.limits.keepAliveMs);
    this.#fields = request.fields;
    this.#connection.enter(new ShortExchange(this.#context, this.#connection, request.head, this.#onAnswered));
  };

  readonly #onAnswered = (exchange: ShortExchange): void => {
    const { socket } = this.#connection;
    this.#connection.leave(exchange);
    if (exchange.isLast || this.#context.isDraining()) {
      this.#connection.end();
    } else if (this.#rest !== undefined) {
      this.#passOn(this.#rest);
    } else if (socket.timeout !== this.#context.limits.keepAliveMs) {
      socket.setTimeout(this.#context.limits.keepAliveMs);
    }
  };

  /** As Node has it: who sends nothing more reads nothing more. Where all was said before, there is nothing to take leave of. */
  readonly #onEnd = (): void => {
    this.#context.departures.goNow();
    const { socket, current } = this.#connection;
    if (current === undefined && socket.writableLength === 0) socket.destroy();
    else this.#connection.end();
  };

  readonly #onError = (): void => {
    this.#connection.socket.destroy();
  };

  /** While a handler works on the answer, silence is nobody's fault. */
  readonly #onTimeout = (): void => {
    const { current, peer, socket } = this.#connection;
    if (current === undefined && this.#fields === undefined) {
      this.#stop();
      refuseSilent(this.#context, peer, socket);
    } else if (current === undefined || current.isSending) socket.destroy();
  };

  readonly #onClose = (): void => {
    const { current } = this.#connection;
    if (current !== undefined) this.#connection.leave(current);
  };

  #stop(): void {
    const { socket } = this.#connection;
    socket.removeListener('data', this.#onData).removeListener('end', this.#onEnd);
    socket.removeListener('timeout', this.#onTimeout).removeListener('close', this.#onClose);
    socket.setTimeout(0);
  }

  /** From here on it speaks no HTTP: what is spoken inside has a connection of its own. */
  #begin(tunnel: ShortConnect): void {
    const { socket } = this.#connection;
    this.#stop();
    socket.removeListener('error', this.#onError);
    socket.pause();
    this.#onward.openTunnel?.(tunnel);
  }

  /** A first request that is not here yet has had some of its time. */
  #headersMsLeft(chunk: Buffer): number | undefined {
    if (this.#fields !== undefined || chunk.includes('\r\n\r\n')) return undefined;
    const { clock, limits } = this.#context;
    return Math.max(0, this.#startedMs + limits.headersMsMax - clock.monotonic());
  }

  #passOn(chunk: Buffer): void {
    const { socket } = this.#connection;
    this.#stop();
    socket.removeListener('error', this.#onError);
    socket.pause();
    socket.unshift(chunk);
    this.#onward.speakHttp(this.#headersMsLeft(chunk));
    socket.resume();
  }
}
