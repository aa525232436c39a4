import type { IncomingHttpHeaders } from 'node:http';
import type * as Undici from 'undici';
import type { Clock } from '../observe/clock.ts';
import { createDialer } from './dial.ts';
import { createLookup } from './lookup.ts';
import { createProxies } from './proxy.ts';
import type { Environment, ForwardProxy } from './proxy.ts';

export interface ServiceDispatcherOptions {
  readonly environment: Environment;
  readonly clock: Clock;
  /** All PEM certificates that are trusted; asked for each connection with TLS, and never for others. */
  readonly ca: () => Promise<readonly string[]>;
}

/** Where undici's own are not meant. */
export type ServiceLimits = Pick<Undici.Agent.Options, 'maxResponseSize' | 'headersTimeout' | 'bodyTimeout'>;

/** For name, connection, proxy and TLS together, in milliseconds. */
const connectMs = 10_000;

/**
 * For requests to services that the operator named: wherever they are, and by the same outbound proxies of the environment
 * as upstreams.
 */
export function serviceDispatcher(
  { Agent, Pool }: typeof Undici,
  { environment, clock, ca }: ServiceDispatcherOptions,
  limits: ServiceLimits = {},
): Undici.Dispatcher {
  const proxies = createProxies(undefined, environment);
  const dialer = createDialer({
    policy: { refusal: () => undefined },
    lookup: createLookup({ servers: [], family: 'any', timeoutMs: connectMs }),
    clock,
    connectMs,
    tls: { ca, insecure: false },
    tunnel: (target) => proxies.tunnel(target),
  });
  const factory = (origin: string | URL, settings: object): Undici.Dispatcher => {
    const url = new URL(origin);
    const forward = proxies.forward(url);
    if (forward === undefined) return new Pool(url.origin, { ...settings, connect: dialer.connect });
    const pool = new Pool(forward.origin, { ...settings, connect: dialer.connectNamed });
    return pool.compose(wholeTo(url, forward));
  };
  return new Agent({ ...limits, factory });
}

/** The proxy is told the whole URL (RFC 9112, 3.2.2). */
function wholeTo({ origin, host }: URL, { headers }: ForwardProxy): Undici.Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (request, handler) => {
    const own = { ...headers, host };
    return dispatch({ ...request, path: origin + request.path, headers: withFields(request.headers, own) }, handler);
  };
}

type Fields = Undici.Dispatcher.DispatchOptions['headers'];

/** What is sent is given by name; after a redirect undici makes a list of names and values of it. */
function withFields(given: Fields, own: Readonly<Record<string, string>>): NonNullable<Fields> {
  if (Array.isArray(given)) return [...given, ...Object.entries(own).flat()];
  return { ...(given as IncomingHttpHeaders), ...own };
}
