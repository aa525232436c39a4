import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { preferredCiphers } from '../certificates/ciphers.ts';
import type { Identity } from '../certificates/identity.ts';
import type { Via } from './message.ts';

/** Names that keep what it takes to resume a handshake; the longest unused goes first. */
export const tlsEndsMax = 512;

/** What is spoken once the handshake is done. */
export type Secured = (socket: TLSSocket, via: Via, servername: string | undefined) => void;

/**
 * Where the TLS of tunnels ends. Clients such as dockerd shake hands anew for every request: a name keeps its server, and
 * with it the tickets by which handshakes are resumed, for as long as its certificate is the same.
 */
export class TlsEnds {
  readonly #handshakeMsMax: number;
  readonly #secured: Secured;
  readonly #ends = new Map<string, { readonly identity: Identity; readonly server: TlsServer }>();

  constructor(handshakeMsMax: number, secured: Secured) {
    this.#handshakeMsMax = handshakeMsMax;
    this.#secured = secured;
  }

  /** @param via where the requests on it go */
  take(socket: Socket, via: Via, identity: Identity): void {
    // Whatever is said of a connection is in it: a server belongs to those of whom the same is said.
    const name = JSON.stringify(via);
    const known = this.#ends.get(name);
    this.#ends.delete(name);
    const server = known?.identity === identity ? known.server : this.#make(via, identity);
    this.#ends.set(name, { identity, server });
    const [longestUnused] = this.#ends.keys();
    if (this.#ends.size > tlsEndsMax && longestUnused !== undefined) this.#ends.delete(longestUnused);
    server.emit('connection', socket);
  }

  #make(via: Via, { cert, key }: Identity): TlsServer {
    const server = new TlsServer({
      ciphers: preferredCiphers,
      cert,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#handshakeMsMax,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      this.#secured(socket, via, typeof socket.servername === 'string' ? socket.servername : undefined);
    });
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    return server;
  }
}
