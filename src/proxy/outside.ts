import type { ConnectRefusal, Outside } from '../http/interception.ts';
import type { Reply, Request } from '../http/message.ts';
import type { RelayAnswer, RelayRequest } from '../upstream/contract.ts';
import { decide } from './decide.ts';
import { answerHeaders, requestHeaders } from './headers.ts';
import type { InterceptionOptions } from './intercept.ts';
import { explored } from './intercept.ts';
import { parseTarget } from './target.ts';

/**
 * @returns the answer of the host
 * @throws RegistryError when it may not be connected to, or cannot
 */
export type RelayOutside = (host: string, port: number, request: RelayRequest) => Promise<RelayAnswer>;

export interface OutsideOptions extends Pick<InterceptionOptions, 'rules' | 'explore' | 'observer'> {
  readonly relayOutside: RelayOutside;
}

/**
 * Requests in absolute form to hosts that are no registry's, under the rules of tunnels. Nobody asks a proxy for https in
 * this form: that is left to those who know the host.
 */
export async function passOutside(
  options: OutsideOptions,
  request: Request,
  { via, scheme, authority }: Outside,
): Promise<Reply | ConnectRefusal | undefined> {
  if (scheme !== 'http') return undefined;
  if ((await explored(options, parseTarget(withPort(via.host, 443)))).upstreamAt(via.host) !== undefined)
    return undefined;
  const target = parseTarget(withPort(authority, 80));
  if (target === undefined) return { kind: 'refuse', status: 400, message: 'the host is none; correct the URL' };
  const decision = decide(target, { ...options.rules(), explores: false });
  if (decision.kind === 'own' || decision.kind === 'intercept') return undefined;
  const { observer, relayOutside } = options;
  if (decision.kind !== 'tunnel') {
    observer.emit({ type: 'proxy.passed', host: target.name, how: 'refused' });
    return { kind: 'refuse', status: 403, message: decision.why };
  }
  const { length } = request.body;
  const answer = await relayOutside(target.host, target.port, {
    host: authority,
    method: request.method,
    path: request.url,
    headers: requestHeaders(request.headers),
    body: length === 0 ? undefined : request.body,
    signal: request.gone,
  });
  observer.emit({ type: 'proxy.passed', host: target.name, how: 'tunnelled' });
  return {
    status: answer.status,
    headers: {},
    repeated: answerHeaders(answer.headers),
    body: { kind: 'stream', chunks: answer.chunks, cancel: () => answer.cancel() },
  };
}

function withPort(authority: string, port: number): string {
  return /:\d+$/.test(authority) ? authority : `${authority}:${port}`;
}
