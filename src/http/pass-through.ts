import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Duplex } from 'node:stream';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { ConnectRefusal } from './interception.ts';

/** A connection whose bytes go through untouched may be silent for so long, in milliseconds. */
const silentMsMax = 10 * 60_000;

/** Joins the two, at the pace of the slower one, until either ends. */
export function passThrough(socket: Socket, outside: Duplex): void {
  socket.setTimeout(silentMsMax, () => socket.destroy());
  pipeline(socket, outside, socket, () => {
    socket.destroy();
    outside.destroy();
  });
}

/** Why nobody could be connected to, as an answer. */
export function unconnected(error: unknown): ConnectRefusal {
  if (!(error instanceof RegistryError)) {
    return { kind: 'refuse', status: 500, message: messageOf(error) };
  }
  const status = error.code === 'UPSTREAM_TIMEOUT' ? 504 : error.code === 'DENIED' ? 403 : 502;
  return { kind: 'refuse', status, message: error.message };
}
