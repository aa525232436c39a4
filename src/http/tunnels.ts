import type { Socket } from 'node:net';
import type { ExchangeContext } from './exchange.ts';
import { peekFirstByte, tlsHandshake } from './first-byte.ts';
import { plainAddress } from './forwarded.ts';
import type { ConnectRefusal, Interception } from './interception.ts';
import { passThrough, unconnected } from './pass-through.ts';
import { refuse } from './refuse.ts';
import type { Peer } from './request.ts';
import { TlsEnds } from './tls-ends.ts';
import type { Secured } from './tls-ends.ts';

/** A client's CONNECT, and what came right behind it. */
export interface Connecting {
  readonly peer: Peer;
  readonly socket: Socket;
  /** As sent. */
  readonly target: string;
  readonly proxyAuthorization: string | undefined;
  readonly head?: Buffer | undefined;
}

/** There is none within another, nor where a name led, nor for who is refused everything. */
export function mayTunnel({ via, within, refusal }: Peer): boolean {
  return via === undefined && within === undefined && refusal === undefined;
}

/** Tunnels: what the client says inside is answered here, or goes where it wants to go. */
export class Tunnels {
  readonly #context: ExchangeContext;
  readonly #interception: Interception;
  readonly #own: ((socket: Socket) => void) | undefined;
  readonly #ends: TlsEnds;

  /** @param own for TLS that is to this server itself; `undefined` where it speaks none */
  constructor(
    context: ExchangeContext,
    interception: Interception,
    own: ((socket: Socket) => void) | undefined,
    secured: Secured,
  ) {
    this.#context = context;
    this.#interception = interception;
    this.#own = own;
    this.#ends = new TlsEnds({
      handshakeMsMax: context.limits.headersMsMax,
      secured,
      distrusted: (host, clientAddress) => {
        context.observer.emit({ type: 'proxy.distrusted', host, clientAddress });
      },
      notTls: (socket, { host }) => {
        const target = /:\d+$/.test(host) ? host : `${host}:443`;
        this.#refuse({ peer: { address: plainAddress(socket.remoteAddress) }, socket, target }, onlyTls);
      },
    });
  }

  /** Settles when the tunnel stands, or was refused; never rejects. */
  async open(connecting: Connecting): Promise<void> {
    const { peer, socket, target, proxyAuthorization, head } = connecting;
    socket.on('error', () => socket.destroy());
    socket.setTimeout(0);
    const asked = { target, clientAddress: peer.address, proxyAuthorization };
    const answer = await this.#interception.connect(asked).catch(unconnected);
    if (socket.destroyed) {
      if (answer.kind === 'pass') answer.outside.destroy();
      return;
    }
    if (answer.kind === 'refuse') return this.#refuse(connecting, answer);
    if (answer.kind === 'own' && this.#own === undefined) return this.#refuse(connecting, noTlsOfOurs);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head !== undefined && head.length > 0) socket.unshift(head);
    if (answer.kind === 'pass') passThrough(socket, answer.outside);
    // Made while the client makes its first message.
    else if (answer.kind === 'end') this.#ends.take(socket, answer.via, answer.identity);
    else this.#toOurselves(connecting);
  }

  #toOurselves(connecting: Connecting): void {
    const { socket } = connecting;
    peekFirstByte(socket, this.#context.limits.headersMsMax, (first) => {
      if (first === tlsHandshake) this.#own?.(socket);
      else this.#refuse(connecting, onlyTls);
    });
  }

  #refuse({ peer, target, socket }: Refused, { status, message, headers = [] }: ConnectRefusal): void {
    const code = status === 400 ? 'REQUEST_INVALID' : 'DENIED';
    const request = { method: 'CONNECT', url: target };
    refuse(this.#context, peer, socket, { status, code, message, headers, request });
  }
}

type Refused = Pick<Connecting, 'socket' | 'target'> & { readonly peer: Pick<Peer, 'address'> };

/** What else somebody may want to say to a registry is none of our business. */
const onlyTls: ConnectRefusal = {
  kind: 'refuse',
  status: 400,
  message: 'only TLS is accepted in a tunnel; use https',
};

const noTlsOfOurs: ConnectRefusal = {
  kind: 'refuse',
  status: 403,
  message: 'this server itself is asked without a proxy, and over plain HTTP; list it in NO_PROXY',
};
