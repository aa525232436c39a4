import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ExchangeContext } from './exchange.ts';
import { passThrough, unconnected } from './pass-through.ts';
import { refuse } from './refuse.ts';
import type { Refusal } from './refuse.ts';
import { IncomingRequest } from './request.ts';
import type { Peer } from './request.ts';
import { IncomingBody } from './request-body.ts';
import { misdirected } from './via.ts';

/** Whether a request to speak something else is for another registry: to us it is one like any other (RFC 9110, 7.8). */
export function mayUpgrade({ interception }: ExchangeContext, { via, refusal }: Peer): boolean {
  return interception !== undefined && refusal === undefined && (via?.kind === 'tunnel' || via?.kind === 'sni');
}

/** Passes the connection on as it is from here on. Never rejects. */
export async function openUpgrade(
  context: ExchangeContext,
  peer: Peer,
  { incoming, socket, head }: { readonly incoming: IncomingMessage; readonly socket: Socket; readonly head: Buffer },
): Promise<void> {
  const { interception, isOwnName } = context;
  const { via } = peer;
  const asked = { method: incoming.method ?? '', url: incoming.url?.split('?', 1)[0] ?? '' };
  const no = (refusal: Refusal): void => refuse(context, peer, socket, { ...refusal, request: asked });
  socket.on('error', () => socket.destroy());
  socket.setTimeout(0);
  if (interception === undefined || via === undefined || misdirected(incoming, peer, isOwnName) !== undefined) {
    return no({
      status: 421,
      code: 'REQUEST_INVALID',
      message: 'this connection is to another host; open another one',
    });
  }
  const gone = new AbortController();
  socket.once('close', () => gone.abort(new Error('the client went away')));
  const body = new IncomingBody(incoming, context, () => {});
  const request = new IncomingRequest(
    context.nextId(),
    { head: incoming, body, gone: () => gone.signal },
    peer,
    context,
  );
  const answer = await interception.upgrade(request, via).catch(unconnected);
  if (answer.kind === 'refuse') {
    const { status, message } = answer;
    return no({ status, code: 'DENIED', message });
  }
  if (socket.destroyed) {
    answer.outside.destroy();
    return;
  }
  const lines = answer.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`, 'latin1');
  if (head.length > 0) socket.unshift(head);
  passThrough(socket, answer.outside);
}
