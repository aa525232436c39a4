import type { ClientRights } from './access/client-rights.ts';
import type { Logins } from './access/logins.ts';
import type { Certificates } from './certificates/certificates.ts';
import type { Config, InterceptConfig, ListenAddress } from './config/config.ts';
import type { Index } from './index/contract.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import { Explorer } from './proxy/explorer.ts';
import { createProxy } from './proxy/proxy.ts';
import type { Proxy } from './proxy/proxy.ts';
import { proxyRules } from './proxy/rules.ts';
import type { ProxyRules } from './proxy/rules.ts';
import { TokenDesk } from './proxy/token-desk.ts';
import type { Beyond } from './registry/beyond.ts';
import type { Settings } from './settings.ts';
import type { Upstreams } from './upstream/contract.ts';
import { connectOutside, relayOutside } from './upstream/outside.ts';
import type { OutsideOptions } from './upstream/outside.ts';

export interface TransparentOptions {
  readonly settings: Settings;
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly observer: Observer;
  readonly clock: Clock;
  /** What requests of our own say that they came by. */
  readonly mark: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly certificates: Pick<Certificates, 'interception'>;
  readonly logins: Logins;
  readonly rights: ClientRights;
}

export interface TransparentProxy extends Proxy {
  readonly beyond: Beyond;
  /** Where names of other registries lead here. */
  readonly named: readonly ListenAddress[];
}

/** The transparent proxy, put together; `undefined` where it is off. */
export function transparentProxy(options: TransparentOptions): TransparentProxy | undefined {
  const { settings, index, clock, env: environment, certificates, logins, rights } = options;
  const { intercept } = settings.config;
  const leaves = certificates.interception;
  if (intercept === undefined || leaves === undefined) return undefined;
  const now = (): InterceptConfig => settings.config.intercept ?? intercept;
  const outside = (): OutsideOptions => {
    const { dial: allowed, resolver } = now();
    return { clock, environment, resolver, allowed };
  };
  const explorer = new Explorer({ ...options, learned: settings.learned, settings: now, challenges: index.proofs });
  const isNamed = (upstream: string): boolean => settings.find(upstream)?.learned !== true;
  const desk = new TokenDesk({ fingerprints: rights.fingerprints, proofs: index.proofs, clock, isNamed });
  let read: { readonly config: Config; readonly rules: ProxyRules } | undefined;
  const rules = (): ProxyRules => {
    const { config } = settings;
    if (read?.config !== config) read = { config, rules: proxyRules(config, now(), settings) };
    return read.rules;
  };
  const proxy = createProxy({
    ...options,
    desk,
    rules,
    explore: (target) => explorer.explore(target),
    identify: (authorization, clientAddress) =>
      logins.identify({ authorization, clientAddress, certificate: undefined }),
    leafFor: (host) => leaves.leafFor(host),
    connectOutside: (host, port) => connectOutside(host, port, outside()),
    relayOutside: (host, port, request) => relayOutside(host, port, request, { ...outside(), mark: options.mark }),
  });
  return {
    ...proxy,
    named: intercept.listen,
    beyond: {
      presented: (request) => proxy.presented(request),
      pass: (...passed) => proxy.pass(...passed),
      ping: (request, via) => proxy.ping(request, via),
      passesPushes: () => now().push !== 'refuse',
      // Due at once: the next who asks is told where the upstream points it now.
      moved: (key, tag) => index.tags.confirm(key, tag, 0),
    },
  };
}
