import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import type { Target } from './dial.ts';
import { SocketReader } from './socket-reader.ts';

const headBytesMax = 16_384;

/**
 * Turns a connection to a proxy into one to the target (RFC 9110, 9.3.6).
 * @throws Error when the proxy refuses
 */
export async function connectThrough(
  socket: Socket,
  { host, port }: Target,
  authorization: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const proof = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${proof}\r\n`);
  const reader = new SocketReader(socket, signal);
  const head = (await reader.takeThrough('\r\n\r\n', headBytesMax)).toString('latin1');
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (status === undefined) throw new Error('the outbound proxy does not speak HTTP');
  if (!status.startsWith('2')) throw new Error(refusal(status, authority));
  reader.release();
}

function refusal(status: string, authority: string): string {
  if (status === '407') return `the outbound proxy wants credentials (407) for ${authority}; put them into its URL`;
  return `the outbound proxy refused to connect to ${authority} (${status})`;
}
