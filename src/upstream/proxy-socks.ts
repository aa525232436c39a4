import { isIP, isIPv4 } from 'node:net';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { OutboundProxy } from '../config/config.ts';
import type { Target } from './dial.ts';
import { SocketReader } from './socket-reader.ts';

/**
 * Turns a connection to a SOCKS5 proxy into one to the target (RFC 1928; RFC 1929 for the password). Names go to the proxy
 * as names: behind it, they may mean something else than here.
 * @throws Error when the proxy refuses
 */
export async function socksThrough(
  socket: Socket,
  target: Target,
  proxy: OutboundProxy,
  signal: AbortSignal,
): Promise<void> {
  const reader = new SocketReader(socket, signal);
  const { username, password } = proxy;
  socket.write(Buffer.from(username === undefined ? [version, 1, noProof] : [version, 2, noProof, passwordProof]));
  const [spoken, method] = await reader.take(2);
  if (spoken !== version) throw new Error('the outbound proxy does not speak SOCKS5');
  if (method === passwordProof && username !== undefined) {
    await prove(socket, reader, username, password?.reveal() ?? '');
  } else if (method !== noProof) {
    throw new Error('the outbound proxy wants credentials; put them into its URL');
  }
  const port = Buffer.alloc(2);
  port.writeUInt16BE(target.port);
  socket.write(Buffer.concat([Buffer.from([version, connect, 0]), address(target.host), port]));
  await reader.take(await answerLength(reader, target));
  reader.release();
}

const version = 5;
const noProof = 0;
const passwordProof = 2;
const connect = 1;
const kinds = { ipv4: 1, name: 3, ipv6: 4 } as const;

async function prove(socket: Socket, reader: SocketReader, username: string, password: string): Promise<void> {
  socket.write(Buffer.concat([Buffer.from([1]), short(username), short(password)]));
  const [, status] = await reader.take(2);
  if (status !== 0) throw new Error('the outbound proxy refused its credentials');
}

/** What is left of the answer after its first four bytes: the bound address, which nobody needs. */
async function answerLength(reader: SocketReader, { host, port }: Target): Promise<number> {
  const [, status = 1, , kind] = await reader.take(4);
  if (status !== 0) {
    const why = refusals[status] ?? `failure ${status}`;
    throw new Error(`the outbound proxy could not connect to ${host}:${port}: ${why}`);
  }
  if (kind === kinds.ipv4) return 4 + 2;
  if (kind === kinds.ipv6) return 16 + 2;
  const [length = 0] = await reader.take(1);
  return length + 2;
}

const refusals: readonly (string | undefined)[] = [
  undefined,
  'general failure',
  'not allowed',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'took too long',
];

function address(host: string): Buffer {
  if (isIP(host) === 0) return Buffer.concat([Buffer.from([kinds.name]), short(host)]);
  return Buffer.from([isIPv4(host) ? kinds.ipv4 : kinds.ipv6, ...ipaddr.parse(host).toByteArray()]);
}

function short(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new Error('longer than SOCKS5 allows');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
