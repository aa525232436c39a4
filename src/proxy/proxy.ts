import type { Interception, UpgradeAnswer } from '../http/interception.ts';
import type { Reply, Request, Via } from '../http/message.ts';
import { Secret } from '../config/secret.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Presented } from '../oci/repository.ts';
import type { Upstream, Upstreams } from '../upstream/contract.ts';
import { isTokenExchange, passExchange } from './exchanges.ts';
import { requestHeaders } from './headers.ts';
import { createInterception, explored } from './intercept.ts';
import type { InterceptionOptions } from './intercept.ts';
import { passOutside } from './outside.ts';
import type { OutsideOptions } from './outside.ts';
import { passOn } from './pass.ts';
import { failedPing, notePing, pingWhileAway } from './pings.ts';
import type { ProxyRules } from './rules.ts';
import { parseTarget } from './target.ts';
import type { TokenDesk } from './token-desk.ts';

export interface ProxyOptions
  extends Omit<InterceptionOptions, 'upgrade' | 'outside'>, Pick<OutsideOptions, 'relayOutside'> {
  readonly rules: () => ProxyRules;
  readonly upstreams: Upstreams;
  readonly desk: TokenDesk;
}

/** The transparent proxy: what becomes of connections, and of requests that a cache has nothing to say to. */
export interface Proxy {
  readonly interception: Interception;
  /** What the client says about itself to the upstream that it believes to talk to; `undefined` where it means us. */
  presented(request: Request): Presented | undefined;
  /** @throws RegistryError when the host is not one that is intercepted, or gives no answer */
  pass(request: Request, via: Via, url?: string): Promise<Reply>;
  /** "Is this a registry, and who am I there?" is answered here while it is away, as far as that can be said. */
  ping(request: Request, via: Via): Promise<Reply>;
}

export function createProxy(options: ProxyOptions): Proxy {
  return {
    interception: createInterception({
      ...options,
      upgrade: (request, via) => upgradeOn(options, request, via),
      outside: (request, where) => passOutside(options, request, where),
    }),
    presented: ({ via, headers }) => {
      const upstream = via && options.rules().upstreamAt(via.host);
      if (via === undefined || upstream === undefined) return undefined;
      const { authorization } = headers;
      const secret = authorization === undefined ? undefined : new Secret(authorization);
      return { upstream, host: via.host, authorization: secret };
    },
    pass: async (request, via, url) => {
      const upstream = await foundAt(options, via);
      if (isTokenExchange(request)) return await passExchange(request, via, upstream, options.desk);
      return await passOn(request, via, upstream, url);
    },
    ping: async (request, via) => {
      const upstream = await foundAt(options, via);
      try {
        const reply = await passOn(request, via, upstream);
        if (reply.status >= 500 && request.headers['authorization'] === undefined) return failedPing(reply);
        await notePing(request, reply, via, options.desk);
        return reply;
      } catch (error) {
        if (!(error instanceof RegistryError) || error.origin !== 'upstream') throw error;
        return await pingWhileAway(request, via, error, options);
      }
    },
  };
}

/** A host that only a request names, and no connection before it, may be a registry that nobody knows yet. */
async function foundAt(options: ProxyOptions, via: Via): Promise<Upstream> {
  await explored(options, parseTarget(/:\d+$/.test(via.host) ? via.host : `${via.host}:443`));
  return upstreamAt(options, via);
}

function upstreamAt({ rules, upstreams, observer }: ProxyOptions, { host }: Via): Upstream {
  const name = rules().upstreamAt(host);
  const upstream = name === undefined ? undefined : upstreams.find(name);
  if (upstream !== undefined) return upstream;
  observer.emit({ type: 'proxy.passed', host, how: 'refused' });
  const message = `${host} is not a registry that this server knows; add it under "upstreams:" in its configuration`;
  throw new RegistryError('UPSTREAM_UNKNOWN', message, { origin: 'client' });
}

/** Rules about repositories have nothing to say to what is spoken then; who has to log in has to for this, too. */
async function upgradeOn(options: ProxyOptions, request: Request, via: Via): Promise<UpgradeAnswer> {
  if (options.rules().mustLogIn && via.guest === undefined) {
    return { kind: 'refuse', status: 403, message: 'this needs a login to the proxy' };
  }
  const { headers, socket } = await upstreamAt(options, via).upgrade({
    host: via.host,
    path: request.url,
    headers: requestHeaders(request.headers),
    protocol: request.headers['upgrade'] ?? '',
    signal: request.gone,
  });
  return { kind: 'switched', headers, outside: socket };
}
