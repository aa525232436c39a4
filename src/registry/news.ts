import type { Reply, Request } from '../http/message.ts';
import type { Change } from '../oci/change.ts';
import { isDigest } from '../oci/digest.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Ask, RepositoryKey, SentRequest } from '../oci/repository.ts';
import type { ContentRoute } from './route.ts';

/** Others are told what clients do here. */
export interface News {
  /** What URLs in news begin with: this server, as that client calls it. */
  origin(request: Request): string;
  /** Names are the client's own; otherwise that of the upstream stands before them. */
  readonly ownNames: boolean;
  pulled(key: RepositoryKey, change: Change, ask: Ask): Promise<void>;
}

export function sentRequest(request: Request, target: ContentRoute, news: News): SentRequest {
  const { key, askedName, base } = target;
  const { clientAddress, clientPort } = request;
  const host = clientAddress.includes(':') && clientPort !== undefined ? `[${clientAddress}]` : clientAddress;
  return {
    method: request.method,
    host: request.host,
    address: clientPort === undefined ? clientAddress : `${host}:${clientPort}`,
    userAgent: request.headers['user-agent'] ?? '',
    repository: key.upstream === undefined || news.ownNames ? askedName : `${key.upstream}/${key.name}`,
    urlOf: (object) => `${news.origin(request)}${base}/${object}`,
  };
}

/** What an answer says was pulled; undefined when it was nothing: an error, or what the client has already. */
export function pullOf({ status, headers, body }: Reply, target: ContentRoute): Change | undefined {
  const digest = headers['Docker-Content-Digest'];
  if ((status !== 200 && status !== 206) || digest === undefined || !isDigest(digest)) return undefined;
  if (target.kind === 'blob') return { action: 'pull', kind: 'blob', digest, size: wholeSize(headers) };
  if (target.kind !== 'manifest') return undefined;
  const mediaType = headers['Content-Type'] ?? '';
  const bytes = body.kind === 'bytes' ? body.bytes : undefined;
  const tag = isDigestReference(target.reference) ? undefined : target.reference;
  return { action: 'pull', kind: 'manifest', manifest: { mediaType, digest, size: wholeSize(headers), bytes }, tag };
}

/** A range tells of the whole, after a slash. */
function wholeSize(headers: Reply['headers']): number {
  const range = headers['Content-Range'];
  return Number(range === undefined ? headers['Content-Length'] : range.slice(range.indexOf('/') + 1));
}
