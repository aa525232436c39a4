/** Real TLS connections to one leaf, inside this process. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import type { ConnectionOptions, PeerCertificate, TlsOptions } from 'node:tls';
import type { Leaves } from './leaves.ts';

export interface Shaken {
  readonly certificate: PeerCertificate;
  readonly isResumed: boolean;
  readonly protocol: string | null;
  readonly session: Buffer | undefined;
}

/** A server that asks for a leaf by the name that the client sends, or by `fallback`. */
export async function serveLeaves(leaves: Leaves, fallback: string, options: TlsOptions = {}) {
  const { cert, key } = leaves.leafFor(fallback);
  const server = createServer({
    cert,
    key,
    ...options,
    SNICallback: (name, done) => done(null, leaves.leafFor(name).context),
  });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined).end('done'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  return { port, [Symbol.asyncDispose]: stop };
}

/** @throws what the client has against the server's certificate */
export async function shake(port: number, options: ConnectionOptions): Promise<Shaken> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  await once(socket, 'secureConnect');
  socket.resume();
  const certificate = socket.getPeerCertificate(true);
  const isResumed = socket.isSessionReused();
  const protocol = socket.getProtocol();
  const ended = once(socket, 'close').then(() => undefined);
  return { certificate, isResumed, protocol, session: await Promise.race([session, ended]) };
}
