import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { preferredCiphers, tunnelGroups } from '../certificates/ciphers.ts';
import type { Identity } from '../certificates/identity.ts';
import { plainAddress } from './forwarded.ts';
import type { Via } from './message.ts';

/** Names that keep what it takes to resume a handshake; the longest unused goes first. */
export const tlsEndsMax = 512;

/** What is spoken once the handshake is done. */
export type Secured = (socket: TLSSocket, via: Via, servername: string | undefined) => void;

export type Distrusted = (host: string, clientAddress: string) => void;

/** RFC 8446, 6.2: what clients say to a certificate whose authority they do not know. */
const alertsOfDistrust = /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)$/;

/**
 * Where the TLS of tunnels ends. Clients such as dockerd shake hands anew for every request: a name keeps its server, and
 * with it the tickets by which handshakes are resumed, for as long as its certificate is the same.
 */
export class TlsEnds {
  readonly #handshakeMsMax: number;
  readonly #secured: Secured;
  readonly #distrusted: Distrusted;
  readonly #ends = new Map<string, { readonly identity: Identity; readonly server: TlsServer }>();

  constructor(handshakeMsMax: number, secured: Secured, distrusted: Distrusted) {
    this.#distrusted = distrusted;
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
      ecdhCurve: tunnelGroups,
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
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      if (alertsOfDistrust.test(error.code ?? '')) this.#distrusted(via.host, plainAddress(socket.remoteAddress));
      socket.destroy();
    });
    return server;
  }
}
