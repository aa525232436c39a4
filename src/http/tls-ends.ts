import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { sweepAfter } from '../bytes/sweep.ts';
import { preferredCiphers, tunnelGroups } from '../certificates/ciphers.ts';
import type { Identity } from '../certificates/identity.ts';
import { beneath } from './beneath.ts';
import { plainAddress } from './forwarded.ts';
import type { Via } from './message.ts';

/** Names that keep what it takes to resume a handshake; the longest unused goes first. */
export const tlsEndsMax = 512;

/**
 * What Node decrypts goes into one piece of memory after the other, of which a plain read takes the whole: a tunnel begins with
 * both, and so lets go of a piece that is nearly empty. In bytes.
 */
const readBytes = 64 * 1024;

/** What is spoken once the handshake is done. */
export type Secured = (socket: TLSSocket, via: Via, servername: string | undefined) => void;

export interface TlsEndsOptions {
  readonly handshakeMsMax: number;
  readonly secured: Secured;
  /** A client said that it does not know the certificate's authority. */
  readonly distrusted: (host: string, clientAddress: string) => void;
  /** What came was no TLS; an answer may still be written to the socket, at once. */
  readonly notTls?: (socket: Socket, via: Via) => void;
}

/** RFC 8446, 6.2: what clients say to a certificate whose authority they do not know. */
const alertsOfDistrust = /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)$/;

/** OpenSSL's words for a first record that is none; it says nothing to the client then. */
const notTlsCodes: ReadonlySet<string | undefined> = new Set([
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_WRONG_VERSION_NUMBER',
]);

/**
 * Where the TLS of tunnels ends. Clients such as dockerd shake hands anew for every request: a name keeps its server, and
 * with it the tickets by which handshakes are resumed, for as long as its certificate is the same.
 */
export class TlsEnds {
  readonly #options: TlsEndsOptions;
  readonly #ends = new Map<string, { readonly identity: Identity; readonly server: TlsServer }>();

  constructor(options: TlsEndsOptions) {
    this.#options = options;
  }

  /** @param via where the requests on it go */
  take(socket: Socket, via: Via, identity: Identity): void {
    // Whatever is said of a connection is in it: a server belongs to those of whom the same is said.
    const name = via.guest === undefined ? `${via.kind} ${via.host}` : JSON.stringify(via);
    const known = this.#ends.get(name);
    this.#ends.delete(name);
    const server = known?.identity === identity ? known.server : this.#make(via, identity);
    this.#ends.set(name, { identity, server });
    const [longestUnused] = this.#ends.keys();
    if (this.#ends.size > tlsEndsMax && longestUnused !== undefined) this.#ends.delete(longestUnused);
    server.emit('connection', socket);
  }

  #make(via: Via, { cert, key }: Identity): TlsServer {
    const { handshakeMsMax, secured, distrusted, notTls } = this.#options;
    const server = new TlsServer({
      ciphers: preferredCiphers,
      ecdhCurve: tunnelGroups,
      cert,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeMsMax,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      sweepAfter(readBytes);
      secured(socket, via, typeof socket.servername === 'string' ? socket.servername : undefined);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      if (alertsOfDistrust.test(error.code ?? '')) distrusted(via.host, plainAddress(socket.remoteAddress));
      else if (notTlsCodes.has(error.code)) notTls?.(beneath(socket), via);
      socket.destroy();
    });
    return server;
  }
}
