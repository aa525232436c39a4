import type { Reply, Request, Via } from '../http/message.ts';
import type { Upstream } from '../upstream/contract.ts';
import { answerHeaders, requestHeaders } from './headers.ts';

/**
 * Passes a request on to its upstream as it is, and the answer back, of any size: pushes, logins, searches, whatever a
 * cache has nothing to say to.
 * @throws RegistryError when there is no answer
 */
export async function passOn(
  request: Request,
  via: Via,
  upstream: Upstream,
  url: string = request.url,
): Promise<Reply> {
  request.notes.upstream = upstream.name;
  const { length } = request.body;
  const answer = await upstream.relay({
    host: via.host,
    method: request.method,
    path: url,
    headers: requestHeaders(request.headers),
    body: length === 0 ? undefined : request.body,
    signal: request.gone,
  });
  return {
    status: answer.status,
    headers: {},
    repeated: answerHeaders(answer.headers),
    body: { kind: 'stream', chunks: answer.chunks, cancel: () => answer.cancel() },
  };
}
