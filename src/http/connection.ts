import type { Socket } from 'node:net';
import type { Peer } from './request.ts';

/** A request that is being answered. */
export interface CurrentExchange {
  /** Bytes of ours wait for the client. */
  readonly isSending: boolean;
  /** Bytes of the client are waited for. */
  readonly isReceiving: boolean;
  /** Settles when there is nothing more to do; never rejects, nor throws. */
  run(): void | Promise<void>;
  /** Nothing more of the request will come. */
  breakOff(): void;
  /** The answer is complete, or its connection gone. */
  finish(): void;
}

/**
 * One connection and its exchanges, one at a time: a pipelined request waits for the answer before it, so that neither
 * handlers nor buffers work for an answer that cannot be sent yet.
 */
export class Connection {
  readonly peer: Peer;
  readonly socket: Socket;
  #current: CurrentExchange | undefined;
  #waiting: CurrentExchange[] = [];
  #ending = false;
  #used = false;

  constructor(socket: Socket, peer: Peer) {
    this.socket = socket;
    this.peer = peer;
  }

  get current(): CurrentExchange | undefined {
    return this.#current;
  }

  /** Requests received while another one is being answered. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** At least one request has come. */
  get isUsed(): boolean {
    return this.#used;
  }

  enter(exchange: CurrentExchange): void {
    this.#used = true;
    if (this.#current === undefined) {
      this.#current = exchange;
      void exchange.run();
    } else {
      this.#waiting.push(exchange);
    }
  }

  /** The current exchange has ended, or the connection has. */
  leave(exchange: CurrentExchange): void {
    exchange.finish();
    if (this.#current !== exchange) return;
    this.#current = undefined;
    if (this.#ending || this.socket.destroyed) return this.end();
    const next = this.#waiting.shift();
    if (next !== undefined) this.enter(next);
  }

  /** What still comes from the client is of no interest. */
  get isEnding(): boolean {
    return this.#ending;
  }

  /** What came last was no HTTP: the answer to the current request, which is returned, is the last. */
  endAfterCurrent(): CurrentExchange | undefined {
    this.#ending = true;
    this.#current?.breakOff();
    return this.#current;
  }

  /** Lets what was written go out, and nothing else. */
  end(): void {
    this.abandon();
    this.socket.destroySoon();
  }

  abandon(): void {
    for (const exchange of this.#waiting.splice(0)) exchange.finish();
  }
}
