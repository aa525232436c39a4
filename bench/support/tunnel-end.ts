/**
 * The client's end of a tunnel, as cheap as Node can have it: the proxy is asked in one line, and TLS sits on the socket.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';

export interface TunnelOptions {
  readonly proxyPort: number;
  /** Handshakes go on from where an earlier one with the same keeper ended. Default: each is a whole one, as dockerd's. */
  readonly sessions?: SessionKeeper | undefined;
}

export interface SessionKeeper {
  kept: Buffer | undefined;
  /** Handshakes that went on. */
  resumed: number;
}

/** @throws when the proxy says no, or the handshake fails */
export async function openTunnel(url: URL, ca: string, { proxyPort, sessions }: TunnelOptions): Promise<TLSSocket> {
  const target = `${url.hostname}:${url.port === '' ? '443' : url.port}`;
  const socket = connect({ port: proxyPort, host: '127.0.0.1', noDelay: true });
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!/^HTTP\/1\.\d 200 [^]*\r\n\r\n$/.test(answer.toString('latin1'))) {
    socket.destroy();
    throw new Error(`there is no tunnel to ${target}: ${answer.toString('latin1')}`);
  }
  const session = sessions?.kept;
  const secured = connectTls({
    socket,
    servername: url.hostname,
    secureContext: trusting(ca),
    ...(session !== undefined && { session }),
  });
  if (sessions !== undefined) secured.on('session', (each: Buffer) => (sessions.kept = each));
  await once(secured, 'secureConnect');
  if (sessions !== undefined && secured.isSessionReused()) sessions.resumed++;
  return secured;
}

const contexts = new Map<string, SecureContext>();

/** A client that trusts somebody does not read his certificate anew for every connection. */
function trusting(ca: string): SecureContext {
  const held = contexts.get(ca) ?? createSecureContext({ ca });
  contexts.set(ca, held);
  return held;
}
