import type { UpstreamConfig } from '../config/config.ts';
import { upstreamLookup } from '../config/upstream-lookup.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Upstreams } from './contract.ts';
import { RegistryUpstream } from './registry.ts';
import type { Surroundings } from './settings.ts';

export interface UpstreamsOptions {
  /** Exact names and wildcards, as the configuration has resolved them. */
  readonly upstreams: readonly UpstreamConfig[];
  readonly observer: Observer;
  readonly clock: Clock;
  /** Whose HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count. Default: nobody's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ours, told to upstreams as `entrepot/<version>`. */
  readonly version?: string;
  /** What our requests are known by (RFC 9110, 7.6.3). Default: nothing. */
  readonly mark?: string;
  /** This machine's own addresses, which are not dialled. Default: those of its interfaces. */
  readonly ownAddresses?: () => readonly string[];
  /** Those that are in no configuration. Default: none. */
  readonly learned?: (host: string) => UpstreamConfig | undefined;
}

/** Upstreams that wildcards stand for, kept in mind at a time: a client could make up any number of names. */
export const wildcardUpstreamsMax = 256;

/** @returns the upstreams of a configuration, which may be replaced while requests are under way */
export function createUpstreams(options: UpstreamsOptions): ReconfigurableUpstreams {
  return new Table(options);
}

export interface ReconfigurableUpstreams extends Upstreams {
  /** From now on this table counts. Upstreams that are in both keep their identity; their settings are new. */
  reconfigure(upstreams: readonly UpstreamConfig[]): void;
}

class Table implements ReconfigurableUpstreams {
  readonly #surroundings: Surroundings;
  #lookup: (host: string) => UpstreamConfig | undefined;
  readonly #learned: (host: string) => UpstreamConfig | undefined;
  /** By canonical name. Those of wildcards come with their first use, the longest unused goes first. */
  readonly #known = new Map<string, Known>();

  constructor({ upstreams, observer, clock, env, version, mark, ownAddresses, learned }: UpstreamsOptions) {
    this.#surroundings = {
      observer,
      clock,
      environment: env ?? {},
      userAgent: `entrepot/${version ?? '0'}`,
      mark,
      ...(ownAddresses === undefined ? {} : { ownAddresses }),
    };
    this.#learned = learned ?? (() => undefined);
    this.#lookup = upstreamLookup(upstreams);
    this.#addExact(upstreams);
  }

  find(host: string): RegistryUpstream | undefined {
    const config = this.#lookup(host) ?? this.#learned(host);
    if (config === undefined) return undefined;
    const known = this.#known.get(config.name) ?? this.#addWildcard(config);
    if (!known.byWildcard) return known.upstream;
    // More may have been learned of it since.
    if (config.learned === true && known.config !== config) known.upstream.replace(config);
    this.#known.delete(config.name);
    this.#known.set(config.name, { ...known, config });
    return known.upstream;
  }

  list(): readonly RegistryUpstream[] {
    return [...this.#known.values()].map(({ upstream }) => upstream);
  }

  reconfigure(upstreams: readonly UpstreamConfig[]): void {
    this.#lookup = upstreamLookup(upstreams);
    for (const [name, { upstream }] of this.#known) {
      const config = this.#lookup(name) ?? this.#learned(name);
      if (config?.name === name) {
        upstream.replace(config);
      } else {
        this.#known.delete(name);
      }
    }
    this.#addExact(upstreams);
  }

  async close(): Promise<void> {
    const all = this.list();
    this.#known.clear();
    this.#lookup = () => undefined;
    await Promise.all(all.map((upstream) => upstream.close()));
  }

  #addExact(upstreams: readonly UpstreamConfig[]): void {
    for (const config of upstreams) {
      if (config.name.includes('*')) continue;
      const upstream = this.#known.get(config.name)?.upstream ?? new RegistryUpstream(config, this.#surroundings);
      this.#known.set(config.name, { upstream, byWildcard: false });
    }
  }

  #addWildcard(config: UpstreamConfig): Known {
    const wildcards = [...this.#known].filter(([, { byWildcard }]) => byWildcard);
    const [longestUnused] = wildcards;
    if (wildcards.length >= wildcardUpstreamsMax && longestUnused !== undefined) this.#known.delete(longestUnused[0]);
    return { upstream: new RegistryUpstream(config, this.#surroundings), byWildcard: true, config };
  }
}

interface Known {
  readonly upstream: RegistryUpstream;
  readonly byWildcard: boolean;
  readonly config?: UpstreamConfig;
}
