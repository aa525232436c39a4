import type { Authority, AuthorityKind } from '../certificates/authority.ts';
import type { Certificates } from '../certificates/certificates.ts';
import type { Lobby, Reply, Request } from '../http/message.ts';

/**
 * What clients need before they can trust us: the certificates of our authorities, to whoever asks, with TLS or without.
 * `/ca.crt` has all of them, `/ca.crt?ca=server` and `?ca=interception` those of one.
 */
export function createLobby({ authorities, tls }: Pick<Certificates, 'authorities' | 'tls'>): Lobby {
  return (request) => {
    if (request.url.startsWith(challengePath) && request.via === undefined) {
      const text = tls?.challenges?.textFor(request.url.slice(challengePath.length));
      return text === undefined ? undefined : textReply(200, text);
    }
    if (!request.url.startsWith('/ca.crt') || request.via !== undefined) return undefined;
    const { pathname, searchParams } = new URL(request.url, 'http://us');
    if (pathname !== '/ca.crt') return undefined;
    return caReply(request, authorities, searchParams.get('ca'));
  };
}

/** RFC 8555, 8.3. */
const challengePath = '/.well-known/acme-challenge/';

export function isAuthorityKind(text: string): text is AuthorityKind {
  return text === 'server' || text === 'interception';
}

function caReply({ method }: Request, all: readonly Authority[], asked: string | null): Reply {
  if (method !== 'GET' && method !== 'HEAD') return textReply(405, 'read it with GET\n', { Allow: 'GET, HEAD' });
  if (asked !== null && !isAuthorityKind(asked)) return textReply(400, 'write ?ca=server or ?ca=interception\n');
  const wanted = all.filter(({ kind }) => asked === null || kind === asked);
  const roots = new Set(wanted.flatMap((authority) => authority.trusted().map(({ root }) => root)));
  if (roots.size > 0) return textReply(200, [...roots].join(''), { 'Content-Type': 'application/x-pem-file' });
  const which = asked === null ? 'certificate authority' : `${asked} certificate authority`;
  return textReply(404, `this server has no ${which} of its own; ask its operator whom to trust\n`);
}

function textReply(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = Buffer.from(text);
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': String(bytes.length), ...headers },
    body: { kind: 'bytes', bytes },
  };
}
