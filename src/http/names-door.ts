import type { Socket } from 'node:net';
import type { ExchangeContext } from './exchange.ts';
import { peekOpening } from './first-byte.ts';
import type { Opening } from './first-byte.ts';
import { plainAddress } from './forwarded.ts';
import type { ConnectRefusal, Interception } from './interception.ts';
import { passThrough, unconnected } from './pass-through.ts';
import { logRefusal } from './refuse.ts';
import type { Peer } from './request.ts';
import { TlsEnds } from './tls-ends.ts';
import type { Secured } from './tls-ends.ts';

export interface NamedEnds {
  /** TLS that is to this server itself; `undefined` where it speaks none. */
  readonly own: ((socket: Socket, protocols: readonly string[]) => void) | undefined;
  readonly secured: Secured;
  readonly plain: (socket: Socket) => void;
}

type HelloSaid = Extract<Opening, { readonly kind: 'hello' }>;

/** A fatal alert that there is nobody of that name (RFC 8446, 6; RFC 6066, 3): the client learns why it is not let in. */
const unrecognizedName = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/**
 * Where connections arrive that a name led here, by DNS or /etc/hosts: the name in the TLS handshake says which registry
 * is meant, and for plain HTTP each request's Host.
 */
export class NamesDoor {
  readonly #context: ExchangeContext;
  readonly #interception: Interception;
  readonly #named: NamedEnds;
  readonly #ends: TlsEnds;

  constructor(context: ExchangeContext, interception: Interception, named: NamedEnds) {
    this.#context = context;
    this.#interception = interception;
    this.#named = named;
    this.#ends = new TlsEnds({
      handshakeMsMax: context.limits.headersMsMax,
      secured: named.secured,
      distrusted: (host, clientAddress) => {
        context.observer.emit({ type: 'proxy.distrusted', host, clientAddress });
      },
    });
  }

  enter(socket: Socket): void {
    const { clock, limits } = this.#context;
    peekOpening(socket, { clock, msMax: limits.headersMsMax }, (opening) => {
      if (opening.kind === 'plain') this.#named.plain(socket);
      else if (opening.kind === 'hello') void this.#greet(socket, opening);
      else socket.destroy();
    });
  }

  /** Never rejects. */
  async #greet(socket: Socket, { servername, protocols }: HelloSaid): Promise<void> {
    socket.on('error', () => socket.destroy());
    const clientAddress = plainAddress(socket.remoteAddress);
    const answer = await this.#interception.greet({ servername, clientAddress }).catch(unconnected);
    if (socket.destroyed) {
      if (answer.kind === 'pass') answer.outside.destroy();
      return;
    }
    if (answer.kind === 'end') return this.#ends.take(socket, answer.via, answer.identity);
    if (answer.kind === 'pass') return passThrough(socket, answer.outside);
    if (answer.kind === 'own' && this.#named.own !== undefined) return this.#named.own(socket, protocols);
    this.#refuse(socket, servername, answer.kind === 'refuse' ? answer : noTlsOfOurs);
  }

  #refuse(socket: Socket, servername: string | undefined, { status, message }: ConnectRefusal): void {
    const peer: Pick<Peer, 'address'> = { address: plainAddress(socket.remoteAddress) };
    const request = { method: 'TLS', url: servername ?? '' };
    logRefusal(this.#context, peer, { status, code: 'DENIED', message, request });
    socket.end(unrecognizedName);
    socket.resume();
    const timer = this.#context.clock.setTimer(lingerMs, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  }
}

/** How long a refused client may take to read why, in milliseconds. */
const lingerMs = 2_000;

const noTlsOfOurs: ConnectRefusal = {
  kind: 'refuse',
  status: 403,
  message: 'this server itself is asked over plain HTTP here; set http.tls, or name a registry',
};
