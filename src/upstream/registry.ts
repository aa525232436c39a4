import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import type { UpstreamConfig } from '../config/config.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { makeDialPolicy } from './addresses.ts';
import { HttpClient } from './client.ts';
import type { Upstream, UpstreamRepository, UpstreamStatus } from './contract.ts';
import { createCredentialSource } from './credentials.ts';
import type { TlsTrust } from './dial.ts';
import { Endpoint } from './endpoint.ts';
import type { Answer } from './endpoint.ts';
import { invalidFailure } from './failure.ts';
import { Bandwidth, Semaphore } from './limits.ts';
import { createLookup } from './lookup.ts';
import { namedHosts } from './named-hosts.ts';
import { createProxies } from './proxy.ts';
import type { Environment } from './proxy.ts';
import type { RateLimit } from './ratelimit.ts';
import { upstreamRepository } from './repository.ts';
import type { Sources } from './repository.ts';
import { oddBody } from './transfer.ts';

/** What all upstreams share. */
export interface Surroundings {
  readonly observer: Observer;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly userAgent: string;
  /** This machine's own addresses; default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
}

/** Manifests, tags and pings at once: small and quick, so that it is transfers whose number the operator chooses. */
const smallRequestsMax = 64;
const retiredMax = 4;
const pingBytesMax = 65_536;

/** One upstream for as long as its name is known; its settings come and go. */
export class RegistryUpstream implements Upstream {
  readonly name: string;
  readonly #surroundings: Surroundings;
  #config: UpstreamConfig;
  #settings: Settings;
  /** Clients of earlier settings, which may have something under way still. Their idle connections close by themselves. */
  #retired: readonly HttpClient[] = [];
  #lastError: string | undefined;
  #limit: RateLimit | undefined;

  constructor(config: UpstreamConfig, surroundings: Surroundings) {
    this.name = config.name;
    this.#surroundings = surroundings;
    this.#config = config;
    this.#settings = this.#build(config);
  }

  get url(): string {
    return this.#config.url;
  }

  get hasCredentials(): boolean {
    return this.#config.credentials.kind !== 'none';
  }

  repository(name: RepositoryName): UpstreamRepository {
    return upstreamRepository(name, {
      sources: () => this.#settings.sources,
      note: (error) => this.#note(error),
    });
  }

  async check(): Promise<UpstreamStatus> {
    try {
      await this.#ping();
      this.#note(undefined);
    } catch (error) {
      this.#note(error);
    }
    return this.status();
  }

  status(): UpstreamStatus {
    const { client, sources } = this.#settings;
    return {
      name: this.name,
      url: this.url,
      circuit: client.open ? 'open' : 'closed',
      lastError: this.#lastError,
      limit: this.#limit,
      transfers: sources.transfers.held,
    };
  }

  /** From now on these settings count; what is under way comes to its end with the old ones. */
  replace(config: UpstreamConfig): void {
    this.#retired = [...this.#retired, this.#settings.client].slice(-retiredMax);
    this.#config = config;
    this.#settings = this.#build(config);
    this.#lastError = undefined;
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#retired, this.#settings.client].map((client) => client.close()));
  }

  /** The last failure is shown until something succeeds. */
  #note(error: unknown): void {
    if (error === undefined) this.#lastError = undefined;
    else if (error instanceof RegistryError) this.#lastError = error.message;
  }

  /** A registry says 200 and JSON (or nothing) to `GET /v2/`, or asks for a proof of identity that then is enough. */
  async #ping(): Promise<void> {
    const { main } = this.#settings.sources;
    const as = this.hasCredentials ? 'own' : 'anonymous';
    const ask = { path: '', method: 'GET', kind: 'ping', subject: '/v2/', repository: undefined, as } as const;
    const answer = await main.read({ ...ask, small: true }, pingBytesMax);
    const { status, headers } = answer.head;
    const odd = oddBody(headers);
    if (odd !== undefined) throw invalidFailure(answer.question, odd);
    const isGate = status === 401 && headers['www-authenticate'] !== undefined && as === 'anonymous';
    if (isGate) return;
    if (status !== 200) throw main.fail(answer);
    if (!isJsonOrEmpty(answer)) throw invalidFailure(answer.question, 'does not answer as a registry does');
  }

  #build(config: UpstreamConfig): Settings {
    const client = this.#client(config);
    const source = createCredentialSource(config.credentials);
    const endpoint = (url: string, isMain: boolean): Endpoint =>
      new Endpoint({
        upstream: this.name,
        url,
        client,
        clock: this.#surroundings.clock,
        source: isMain ? source : undefined,
        realms: config.realms,
        insecure: config.insecure,
        onLimit: isMain ? (limit) => this.#limited(limit) : () => {},
      });
    const sources: Sources = {
      main: endpoint(config.url, true),
      mirrors: config.mirrors.map(({ url, resolve }) => ({ endpoint: endpoint(url, false), resolve })),
      transfers: new Semaphore(config.concurrency),
      requests: new Semaphore(smallRequestsMax),
      bandwidth: new Bandwidth(config.bandwidthBytesPerSecond, this.#surroundings.clock),
      clock: this.#surroundings.clock,
    };
    return { client, sources };
  }

  #client(config: UpstreamConfig): HttpClient {
    const { clock, observer, userAgent, environment, ownAddresses } = this.#surroundings;
    const { timeouts, resolver, family } = config;
    const { hosts, literals } = namedHosts(config);
    const proxies = createProxies(config.proxy, environment);
    const policy = makeDialPolicy({
      upstream: this.name,
      allowed: [...config.dial, ...literals],
      named: (host) => hosts.has(host.toLowerCase()),
      ...(ownAddresses === undefined ? {} : { own: ownAddresses }),
    });
    return new HttpClient({
      upstream: this.name,
      userAgent,
      observer,
      clock,
      timeouts,
      forward: (url) => proxies.forward(url),
      dial: {
        policy,
        lookup: createLookup({ servers: resolver, family, timeoutMs: timeouts.connectMs }),
        clock,
        connectMs: timeouts.connectMs,
        tls: trustOf(config),
        tunnel: (target) => proxies.tunnel(target),
      },
    });
  }

  #limited(limit: RateLimit): void {
    const before = this.#limit;
    this.#limit = limit;
    if (before?.limit === limit.limit && before.remaining === limit.remaining) return;
    this.#surroundings.observer.emit({ type: 'upstream.limit', upstream: this.name, ...limit });
  }
}

interface Settings {
  readonly client: HttpClient;
  readonly sources: Sources;
}

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

function isJsonOrEmpty({ body }: Answer & { readonly body: Buffer }): boolean {
  if (body.length === 0) return true;
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}
