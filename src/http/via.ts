import type { IncomingMessage } from 'node:http';
import { upstreamName } from '../config/value/upstream-name.ts';
import { absoluteForm } from './absolute-form.ts';
import { errorReply } from './error-body.ts';
import type { Reply, Via } from './message.ts';
import type { Peer } from './request.ts';

/** Which other registry a request is to, if it is to one. */
export function viaOf(incoming: IncomingMessage, { via }: Peer): Via | undefined {
  if (via !== undefined) return via.host === anyHost ? named('host', incoming.headers.host ?? '') : via;
  const absolute = absoluteForm(incoming.url ?? '');
  if (absolute === undefined) return undefined;
  return named('absolute', absolute.scheme === 'http' ? absolute.authority.replace(/:80$/, '') : absolute.authority);
}

/** Of a connection whose requests say each for itself which host they are for. */
export const anyHost = '*';

function named(kind: Via['kind'], text: string): Via {
  return { kind, host: upstreamName(text) ?? text.toLowerCase() };
}

/** A request that is not for whom its connection was made to (RFC 9110, 15.5.20): its certificate spoke for another. */
export function misdirected(incoming: IncomingMessage, { via, servername }: Peer): Reply | undefined {
  if (via === undefined || via.host === anyHost) return undefined;
  const asked = absoluteForm(incoming.url ?? '')?.authority ?? incoming.headers.host ?? '';
  const agree = upstreamName(asked) === via.host && (servername === undefined || isNameOf(servername, via.host));
  if (agree) return undefined;
  const message = `this connection is to ${via.host}; open another one for another host`;
  return errorReply(421, { code: 'REQUEST_INVALID', message });
}

/** The name in the handshake has no port. */
function isNameOf(servername: string, host: string): boolean {
  const name = upstreamName(servername);
  return name !== undefined && name === host.replace(/:\d+$/, '');
}
