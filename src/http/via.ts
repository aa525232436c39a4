import { isIP } from 'node:net';
import { upstreamName } from '../config/value/upstream-name.ts';
import { absoluteForm } from './absolute-form.ts';
import type { Via } from './message.ts';
import type { Peer, Refusal, RequestHead } from './request.ts';

/** Whether somebody is called so is this server itself. */
export type IsOwnName = (name: string) => boolean;

/** Which other registry a request is to, if it is to one. */
export function viaOf(head: RequestHead, { via }: Peer, isOwnName: IsOwnName): Via | undefined {
  const absolute = absoluteForm(head.url ?? '');
  if (via !== undefined && via.host !== anyHost) return via;
  if (absolute === undefined && via === undefined) return undefined;
  const kind = absolute === undefined ? 'host' : 'absolute';
  const text = absolute?.authority ?? head.headers.host ?? '';
  const host = withoutPort(text, absolute?.scheme ?? 'http');
  return isOurs(host, isOwnName) ? undefined : { kind, host };
}

/** Of a connection whose requests say each for itself which host they are for. */
export const anyHost = '*';

/** As upstreams are named: a registry that is asked over plain HTTP is the same as over TLS. */
function withoutPort(text: string, scheme: string): string {
  const bare = scheme === 'http' ? text.replace(/:80$/, '') : text;
  return upstreamName(bare) ?? bare.toLowerCase();
}

/** Names lead to registries; who has only an address of ours means us. */
function isOurs(host: string, isOwnName: IsOwnName): boolean {
  return isOwnName(host) || isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/** A request that is not for whom its connection was made to (RFC 9110, 15.5.20): its certificate spoke for another. */
export function misdirected(head: RequestHead, peer: Peer, isOwnName: IsOwnName): Refusal | undefined {
  const { via, servername, within } = peer;
  if (via === undefined) {
    return within !== 'name' || isOurs(askedHost(head), isOwnName) ? undefined : refused('this server itself');
  }
  if (via.host === anyHost) return undefined;
  const agree = askedHost(head) === via.host && (servername === undefined || isNameOf(servername, via.host));
  return agree ? undefined : refused(via.host);
}

function askedHost({ url = '', headers }: RequestHead): string {
  return upstreamName(absoluteForm(url)?.authority ?? headers.host ?? '') ?? '';
}

function refused(whom: string): Refusal {
  const message = `this connection is to ${whom}; open another one for another host`;
  return { status: 421, code: 'REQUEST_INVALID', message };
}

/** The name in the handshake has no port. */
function isNameOf(servername: string, host: string): boolean {
  const name = upstreamName(servername);
  return name !== undefined && name === host.replace(/:\d+$/, '');
}

/** A request of ours that came back: an upstream's name leads here, or a proxy, or another cache does (RFC 5842, 7.2). */
export function looped({ headers }: RequestHead, mark: string | undefined): Refusal | undefined {
  if (mark === undefined || !(headers.via ?? '').includes(mark)) return undefined;
  const message =
    'this server has asked itself: the name of an upstream leads here; set intercept.resolver to DNS servers that know where it really is, and let no outbound proxy, and no cache that is asked as an upstream, lead here';
  return { status: 508, code: 'REQUEST_INVALID', message };
}
