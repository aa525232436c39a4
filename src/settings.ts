import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { CollectRules } from './collect/contract.ts';
import type { Adoption } from './adopt/adoption.ts';
import { permissionsOf } from './access/permissions.ts';
import type { Permissions } from './access/permissions.ts';
import type { Config, ManifestRules, UpstreamConfig } from './config/config.ts';
import { LearnedUpstreams } from './config/learned-upstreams.ts';
import type { Loaded } from './config/load.ts';
import { upstreamLookup } from './config/upstream-lookup.ts';
import { urlHost } from './config/value/address.ts';
import { matchedCharactersMax, patternMatcher } from './config/value/pattern.ts';
import { globMatcher } from './config/value/glob.ts';
import { upstreamName } from './config/value/upstream-name.ts';
import type { HostedRules } from './hosted/context.ts';
import type { Request } from './http/message.ts';
import type { Source } from './notify/event.ts';
import { RegistryError } from './oci/errors.ts';
import type { RoutingTable } from './registry/route.ts';

/** The configuration in force, ready to be asked for every request. */
export class Settings {
  #loaded: Loaded;
  #lookup: (host: string) => UpstreamConfig | undefined;
  #routing: RoutingTable;
  #rules: HostedRules;
  #permissions: Permissions;
  /** Registries that nobody named; they count while everything that behaves like one is intercepted. */
  readonly learned = new LearnedUpstreams();

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
    this.#lookup = this.#lookupOf(loaded.config);
    this.#routing = routingOf(loaded.config, this.#lookup);
    this.#rules = rulesOf(loaded.config);
    this.#permissions = permissionsOf(loaded.config.access.rules);
  }

  get loaded(): Loaded {
    return this.#loaded;
  }

  get config(): Config {
    return this.#loaded.config;
  }

  get routing(): RoutingTable {
    return this.#routing;
  }

  /** For what is hosted. */
  get rules(): HostedRules {
    return this.#rules;
  }

  /** @param allKnown what the volume says is in the index: before that, nothing goes for want of a reference */
  collectRules(volume: Pick<Adoption, 'isDone' | 'unread'>): CollectRules {
    const { collect, hosted } = this.config;
    return { ...collect, notNow: whyNotNow(volume), byItself: !hosted.readOnly };
  }

  get permissions(): Permissions {
    return this.#permissions;
  }

  find(host: string): UpstreamConfig | undefined {
    return this.#lookup(host);
  }

  /** @throws RegistryError `UPSTREAM_UNKNOWN` */
  upstream(name: string): UpstreamConfig {
    const config = this.#lookup(name);
    if (config !== undefined) return config;
    throw new RegistryError('UPSTREAM_UNKNOWN', `no upstream is called "${name}"; name it under "upstreams"`);
  }

  /** What `intercept.hosts: "*"` found, by a name as lookups spell it. */
  findLearned(host: string): UpstreamConfig | undefined {
    return this.config.intercept?.hosts.kind === 'any' ? this.learned.find(host) : undefined;
  }

  #lookupOf({ upstreams }: Config): (host: string) => UpstreamConfig | undefined {
    const named = upstreamLookup(upstreams);
    return (host) => named(host) ?? this.findLearned(host);
  }

  take(loaded: Loaded): void {
    this.#loaded = loaded;
    this.#lookup = this.#lookupOf(loaded.config);
    this.#routing = routingOf(loaded.config, this.#lookup);
    this.#rules = rulesOf(loaded.config);
    this.#permissions = permissionsOf(loaded.config.access.rules);
  }
}

function routingOf(config: Config, lookup: (host: string) => UpstreamConfig | undefined): RoutingTable {
  const own = new Set(config.http.listen.flatMap(({ host, port }) => ownNames(host, port)));
  if (config.http.externalUrl !== undefined) own.add(upstreamName(new URL(config.http.externalUrl).host) ?? '');
  return {
    mode: config.mode,
    prefix: config.http.prefix,
    defaultUpstream: config.defaultUpstream === undefined ? undefined : lookup(config.defaultUpstream),
    findUpstream: lookup,
    isHosted: globMatcher(config.hosted.names),
    isClaimed: () => false,
    isOwnName: (host) => own.has(host),
  };
}

function rulesOf({ hosted, collect }: Config): HostedRules {
  const { sparse, deletes, readOnly, manifests } = hosted;
  return {
    isImmutable: globMatcher(hosted.immutable),
    sparse,
    untaggedGo: collect.untaggedMs !== undefined,
    deletes,
    readOnly,
    mayHoldUrl: urlRule(manifests.urls),
    mustBeThere: (platform) => manifests.platforms?.includes(platform) !== false,
  };
}

/** What is too long to be looked at may not be, where anything is denied. */
function urlRule({ allow, deny }: ManifestRules['urls']): HostedRules['mayHoldUrl'] {
  const isAllowed = allow && patternMatcher(allow);
  const matchesDenied = patternMatcher(deny);
  const isDenied = (url: string): boolean =>
    deny.length > 0 && (url.length > matchedCharactersMax || matchesDenied(url));
  return (url) => isAllowed?.(url) !== false && !isDenied(url);
}

function whyNotNow({ isDone, unread }: Pick<Adoption, 'isDone' | 'unread'>): string | undefined {
  if (!isDone) return 'the volume is still being read, and nothing is collected before that has ended: try again then';
  if (unread === undefined) return undefined;
  return `${unread} in the volume was not taken in, and may need what nothing else needs: see to what the log says of it, start again, and collect then`;
}

/** What links to this server begin with; empty where they are relative. */
export function originOf({ http }: Config): string {
  return http.relativeUrls ? '' : (http.externalUrl ?? '');
}

/** Spelled as lookups spell them. */
function ownNames(host: string | undefined, port: number): readonly string[] {
  const names = [urlHost(host ?? hostname()), 'localhost', '127.0.0.1', '[::1]'];
  return names.map((name) => upstreamName(`${name}:${port}`)).filter((name) => name !== undefined);
}

/** What notifications call this process. */
export function sourceOf({ http }: Config): Source {
  const [first] = http.listen;
  return { addr: first === undefined ? hostname() : `${hostname()}:${first.port}`, instanceID: randomUUID() };
}

/** For the links in them: as the client came here, unless the operator knows better. */
export function newsOrigin({ http }: Config, { scheme, host }: Pick<Request, 'scheme' | 'host'>): string {
  if (http.externalUrl !== undefined) return http.externalUrl;
  return http.relativeUrls ? '' : `${scheme}://${host}`;
}
