import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import type { UpstreamConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { makeDialPolicy, metadataNetworks } from './addresses.ts';
import type { DialPolicy } from './addresses.ts';
import { HttpClient } from './client.ts';
import type { RelayAnswer, RelayRequest, Upgraded, UpgradeRequest } from './contract.ts';
import { createCredentialSource } from './credentials.ts';
import { providerHttp } from './credentials/provider-http.ts';
import type { TlsTrust } from './dial.ts';
import { Endpoint } from './endpoint.ts';
import { Bandwidth, Semaphore } from './limits.ts';
import { createLookup } from './lookup.ts';
import { namedHosts } from './named-hosts.ts';
import { createProxies } from './proxy.ts';
import type { Environment, Proxies } from './proxy.ts';
import type { RateLimit } from './ratelimit.ts';
import type { Sources } from './repository.ts';

/** What all upstreams share. */
export interface Surroundings {
  readonly observer: Observer;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly userAgent: string;
  readonly mark: string | undefined;
  /** This machine's own addresses; default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
}

/** One upstream's configuration, come to life. */
export interface Settings {
  readonly sources: Sources;
  /** Passes a client's request on, to the registry's own origin or another of its own. */
  relay(origin: URL, request: RelayRequest): Promise<RelayAnswer>;
  upgrade(origin: URL, request: UpgradeRequest): Promise<Upgraded>;
  /** Whether a circuit is open. */
  open(): boolean;
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

/** Manifests, tags and pings at once: small and quick, so that it is transfers whose number the operator chooses. */
const smallRequestsMax = 64;

/** @param onLimit told what the upstream (not its mirrors) says about its rate limit */
export function buildSettings(
  config: UpstreamConfig,
  surroundings: Surroundings,
  onLimit: (limit: RateLimit) => void,
): Settings {
  const { name: upstream, realms, insecure } = config;
  const { clock, environment, observer } = surroundings;
  const proxies = createProxies(config.proxy, environment, `upstreams.${upstream}.proxy`);
  const judged = { policy: ownPolicy(config, surroundings), proxies };
  const client = makeClient(config, surroundings, {
    ...judged,
    onCircuit: (state, reason) => observer.emit({ type: 'upstream.circuit', upstream, state, reason }),
  });
  // A mirror that is away is no news about the upstream.
  const mirrors = makeClient(config, surroundings, judged);
  const cloud = makeClient(config, surroundings, {
    policy: providerPolicy(config),
    proxies: sparingMetadata(proxies),
  });
  const source = createCredentialSource(config.credentials, {
    url: new URL(config.url),
    clock,
    environment,
    http: providerHttp(cloud),
  });
  const shared = { upstream, clock, realms, insecure };
  const sources: Sources = {
    main: new Endpoint({ ...shared, client, url: config.url, source, onLimit }),
    mirrors: config.mirrors.map(({ url, resolve }) => ({
      url,
      endpoint: new Endpoint({ ...shared, client: mirrors, url, source: undefined, onLimit: () => {} }),
      resolve,
    })),
    transfers: new Semaphore(config.concurrency, Math.floor(config.concurrency / 4)),
    requests: new Semaphore(smallRequestsMax),
    bandwidth: new Bandwidth(config.bandwidthBytesPerSecond, clock),
    clock,
  };
  return {
    sources,
    relay: (origin, request) => client.relay(origin, request),
    upgrade: (origin, request) => client.upgrade(origin, request),
    open: () => client.open,
    close: async () => {
      await Promise.all([client, mirrors, cloud].map((one) => one.close()));
    },
  };
}

interface Ways {
  readonly policy: DialPolicy;
  readonly proxies: Proxies;
  readonly onCircuit?: (state: 'open' | 'closed', reason: string) => void;
}

function makeClient(
  config: UpstreamConfig,
  { clock, observer, userAgent, mark }: Surroundings,
  { policy, proxies, onCircuit }: Ways,
): HttpClient {
  const { name: upstream, timeouts, resolver, family } = config;
  return new HttpClient({
    upstream,
    userAgent,
    mark,
    observer,
    clock,
    timeouts,
    onCircuit: onCircuit ?? (() => {}),
    forward: (url) => proxies.forward(url),
    dial: {
      policy,
      lookup: createLookup({
        servers: resolver,
        family,
        timeoutMs: timeouts.connectMs,
        setting: `upstreams.${upstream}.resolver`,
      }),
      clock,
      connectMs: timeouts.connectMs,
      tls: trustOf(config),
      tunnel: (target) => proxies.tunnel(target),
    },
  });
}

function ownPolicy(config: UpstreamConfig, { ownAddresses }: Surroundings): DialPolicy {
  const { hosts, literals } = namedHosts(config);
  return makeDialPolicy({
    upstream: config.name,
    allowed: [...config.dial, ...literals],
    named: (host) => hosts.has(host.toLowerCase()),
    ...(ownAddresses === undefined ? {} : { own: ownAddresses }),
  });
}

/** A cloud's own services, and what the environment names instead: the operator chose them by choosing the provider. */
function providerPolicy(config: UpstreamConfig): DialPolicy {
  return makeDialPolicy({
    upstream: config.name,
    allowed: [...config.dial, ...metadataNetworks, '127.0.0.0/8', '::1'],
    named: () => true,
    own: () => [],
  });
}

/** The metadata service is this machine's: another machine would be told another's secrets. */
function sparingMetadata(proxies: Proxies): Proxies {
  const isMetadata = (host: string): boolean => host === 'metadata.google.internal' || host.startsWith('169.254.');
  return {
    forward: (url) => (isMetadata(url.hostname) ? undefined : proxies.forward(url)),
    tunnel: (target) => (isMetadata(target.host) ? undefined : proxies.tunnel(target)),
  };
}

/** The machine's own certificate authorities and, where the configuration names a file, those in it. */
function trustOf({ caPath, insecure }: UpstreamConfig): TlsTrust {
  let reading: Promise<readonly string[]> | undefined;
  const read = async (path: string): Promise<readonly string[]> => {
    return [...getCACertificates('default'), await readFile(path, 'utf8')];
  };
  return {
    insecure,
    ca: async () => {
      if (caPath === undefined) return undefined;
      reading ??= read(caPath);
      return await reading.catch((error: unknown) => {
        reading = undefined;
        throw error;
      });
    },
  };
}
