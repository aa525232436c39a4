import type { Certificates } from './certificates/certificates.ts';
import type { Index } from './index/contract.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import { createProxy } from './proxy/proxy.ts';
import type { Proxy } from './proxy/proxy.ts';
import { proxyRules } from './proxy/rules.ts';
import type { Beyond } from './registry/beyond.ts';
import type { Settings } from './settings.ts';
import type { Upstreams } from './upstream/contract.ts';
import { connectOutside } from './upstream/outside.ts';

export interface TransparentOptions {
  readonly settings: Settings;
  readonly index: Index;
  readonly upstreams: Upstreams;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly certificates: Pick<Certificates, 'interception'>;
}

export type TransparentProxy = Proxy & { readonly beyond: Beyond };

/** The transparent proxy, put together; `undefined` where it is off. */
export function transparentProxy(options: TransparentOptions): TransparentProxy | undefined {
  const { settings, index, clock, env: environment, certificates } = options;
  const { intercept } = settings.config;
  const leaves = certificates.interception;
  if (intercept === undefined || leaves === undefined) return undefined;
  const { dial: allowed, resolver } = intercept;
  const proxy = createProxy({
    ...options,
    rules: () => proxyRules(settings.config, settings.config.intercept ?? intercept, settings),
    leafFor: (host) => leaves.leafFor(host),
    connectOutside: (host, port) => connectOutside(host, port, { clock, environment, resolver, allowed }),
  });
  return {
    ...proxy,
    beyond: {
      presented: (request) => proxy.presented(request),
      pass: (request, via) => proxy.pass(request, via),
      passesPushes: () => settings.config.intercept?.push !== 'refuse',
      // Due at once: the next who asks is told where the upstream points it now.
      moved: (key, tag) => index.tags.confirm(key, tag, 0),
    },
  };
}
