import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Server as TlsServer } from 'node:tls';
import type { Challenges } from '../certificates/acme/challenges.ts';
import { preferredCiphers } from '../certificates/ciphers.ts';
import type { Identity } from '../certificates/identity.ts';
import type { ServerTls, TlsSettings } from '../certificates/server-tls.ts';
import type { Clock } from '../observe/clock.ts';
import { peekFirstByte, peekOpening, tlsHandshake } from './first-byte.ts';
import { plainAddress } from './forwarded.ts';

/**
 * Turns sockets whose clients speak TLS into sockets that speak HTTP. Whoever names no name gets the identity of a
 * server's own, which Node asks no function for: there is a server for each.
 */
export class TlsDoor {
  readonly #tls: ServerTls;
  readonly #handshakeMsMax: number;
  readonly #then: (socket: TLSSocket) => void;
  /** Those of identities that nobody shows any more go with them. */
  readonly #servers = new WeakMap<Identity, { readonly settings: TlsSettings; readonly server: TlsServer }>();

  constructor(tls: ServerTls, handshakeMsMax: number, then: (socket: TLSSocket) => void) {
    this.#tls = tls;
    this.#handshakeMsMax = handshakeMsMax;
    this.#then = then;
  }

  /** Finds out what a client wants to speak; nothing where it speaks no TLS. Its hello is read while somebody is awaited. */
  meet(socket: Socket, clock: Clock, then: (protocols: readonly string[] | undefined) => void): void {
    const msMax = this.#handshakeMsMax;
    if (this.#tls.challenges?.isTlsAwaited !== true)
      return peekFirstByte(socket, msMax, (first) => then(first === tlsHandshake ? [] : undefined));
    peekOpening(socket, { clock, msMax }, (opening) => then(opening.kind === 'hello' ? opening.protocols : undefined));
  }

  /** @param protocols what the client wants to speak, where its hello was read */
  enter(socket: Socket, protocols: readonly string[] = []): void {
    const { challenges } = this.#tls;
    if (challenges?.isTlsAwaited === true && protocols.includes(acmeProtocol)) {
      this.#makeChallenged(challenges).emit('connection', socket);
      return;
    }
    // A unix socket has no address.
    const localAddress = plainAddress(socket.localAddress) || 'localhost';
    const identity = this.#tls.identityFor({ serverName: undefined, localAddress });
    this.#serverFor(identity, localAddress).emit('connection', socket);
  }

  #serverFor(identity: Identity, localAddress: string): TlsServer {
    const { settings } = this.#tls;
    const held = this.#servers.get(identity);
    if (held?.settings === settings) return held.server;
    const server = this.#makeServer(identity, localAddress);
    this.#servers.set(identity, { settings, server });
    return server;
  }

  /** Says who we are to an ACME server, and nothing else. */
  #makeChallenged(challenges: Challenges): TlsServer {
    const server = new TlsServer({
      SNICallback: (serverName, done) => {
        const context = challenges.contextFor(serverName);
        if (context === undefined) done(new Error('nobody asked for that'));
        else done(null, context);
      },
      handshakeTimeout: this.#handshakeMsMax,
      ALPNProtocols: [acmeProtocol],
    });
    server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => socket.destroy()).end());
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    return server;
  }

  #makeServer({ cert, key }: Identity, localAddress: string): TlsServer {
    const server = new TlsServer({
      ciphers: preferredCiphers,
      ...this.#tls.settings,
      cert,
      key,
      SNICallback: (serverName, done) => {
        try {
          done(null, this.#tls.identityFor({ serverName, localAddress }).context);
        } catch (error) {
          done(error instanceof Error ? error : new Error(String(error)));
        }
      },
      // Whether what they show will do is said in an answer that they can read.
      requestCert: this.#tls.clients !== undefined,
      rejectUnauthorized: false,
      handshakeTimeout: this.#handshakeMsMax,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    });
    server.on('secureConnection', this.#then);
    server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    return server;
  }
}

/** RFC 8737, 6.2. */
const acmeProtocol = 'acme-tls/1';
