import type { Socket } from 'node:net';
import type { Clock } from '../observe/clock.ts';
import { readHello } from './client-hello.ts';
import type { Hello } from './client-hello.ts';

/** A TLS record of type handshake (RFC 8446, 5.1); no HTTP method begins with it. */
export const tlsHandshake = 0x16;

/** Looks at the first byte that a client sends, and leaves it there. Destroys the socket when none comes in time. */
export function peekFirstByte(socket: Socket, msMax: number, then: (first: number) => void): void {
  const fail = (): void => {
    socket.destroy();
  };
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    socket.removeListener('readable', look).removeListener('error', fail).removeListener('end', fail);
    socket.removeListener('timeout', fail).setTimeout(0);
    socket.unshift(chunk);
    then(chunk[0] ?? 0);
  };
  socket.on('readable', look).once('error', fail).once('end', fail).setTimeout(msMax, fail);
}

/** How a connection begins: with a TLS client's first message, or with something else. */
export type Opening = { readonly kind: 'plain' } | Exclude<Hello, { readonly kind: 'incomplete' }>;

/** The same for as much as it takes to know whom a TLS client asks for. */
export function peekOpening(
  socket: Socket,
  { clock, msMax }: { readonly clock: Clock; readonly msMax: number },
  then: (opening: Opening) => void,
): void {
  const deadline = clock.setTimer(msMax, () => socket.destroy());
  const fail = (): void => {
    socket.destroy();
  };
  let seen = Buffer.alloc(0);
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const opening: Opening | Hello = seen[0] === tlsHandshake ? readHello(seen) : { kind: 'plain' };
    if (opening.kind === 'incomplete') return;
    deadline.cancel();
    socket.removeListener('readable', look).removeListener('error', fail).removeListener('end', fail);
    socket.unshift(seen);
    then(opening);
  };
  socket.on('readable', look).once('error', fail).once('end', fail);
  socket.once('close', () => deadline.cancel());
}
