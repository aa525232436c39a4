import type { Interception } from '../http/interception.ts';
import type { Reply, Request, Via } from '../http/message.ts';
import { Secret } from '../config/secret.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Presented } from '../oci/repository.ts';
import type { Upstreams } from '../upstream/contract.ts';
import { createInterception } from './intercept.ts';
import type { InterceptionOptions } from './intercept.ts';
import { passOn } from './pass.ts';
import type { ProxyRules } from './rules.ts';

export interface ProxyOptions extends InterceptionOptions {
  readonly rules: () => ProxyRules;
  readonly upstreams: Upstreams;
}

/** The transparent proxy: what becomes of connections, and of requests that a cache has nothing to say to. */
export interface Proxy {
  readonly interception: Interception;
  /** What the client says about itself to the upstream that it believes to talk to; `undefined` where it means us. */
  presented(request: Request): Presented | undefined;
  /** @throws RegistryError when the host is not one that is intercepted, or gives no answer */
  pass(request: Request, via: Via): Promise<Reply>;
}

export function createProxy(options: ProxyOptions): Proxy {
  return {
    interception: createInterception(options),
    presented: ({ via, headers }) => {
      const upstream = via && options.rules().upstreamAt(via.host);
      if (upstream === undefined) return undefined;
      const { authorization } = headers;
      return { upstream, authorization: authorization === undefined ? undefined : new Secret(authorization) };
    },
    pass: async (request, via) => {
      const name = options.rules().upstreamAt(via.host);
      const upstream = name === undefined ? undefined : options.upstreams.find(name);
      if (upstream === undefined) {
        const message = `${via.host} is not a registry that this server knows; add it under "upstreams:" in its configuration`;
        throw new RegistryError('UPSTREAM_UNKNOWN', message, { origin: 'client' });
      }
      return await passOn(request, via, upstream);
    },
  };
}
