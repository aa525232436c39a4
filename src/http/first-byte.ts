import type { Socket } from 'node:net';

/** A TLS record of type handshake (RFC 8446, 5.1); no HTTP method begins with it. */
export const tlsHandshake = 0x16;

/** Looks at the first byte that a client sends, and leaves it there. Destroys the socket when none comes in time. */
export function peekFirstByte(socket: Socket, msMax: number, then: (first: number) => void): void {
  const fail = (): void => {
    socket.destroy();
  };
  const look = (): void => {
    const chunk: Buffer | null = socket.read(1);
    if (chunk === null) return;
    socket.removeListener('readable', look).removeListener('error', fail).removeListener('end', fail);
    socket.removeListener('timeout', fail).setTimeout(0);
    socket.unshift(chunk);
    then(chunk[0] ?? 0);
  };
  socket.on('readable', look).once('error', fail).once('end', fail).setTimeout(msMax, fail);
}
