/**
 * The configuration as every other room sees it: resolved, complete, with the unit in the name of each number.
 *
 * Nothing here is as written in the file. What the file may say is `schema.ts`; how one becomes the other is `resolve.ts`.
 * A number without a limit is `Infinity`; what was not configured and has no default is `undefined`.
 */
import type { AccessConfig, AuthConfig } from './access-config.ts';
import type { HealthConfig } from './health-config.ts';
import type { InterceptConfig } from './intercept-config.ts';
import type { Secret } from './secret.ts';
import type { CertificatesConfig, TlsConfig } from './tls-config.ts';

/**
 * What a name means (ARCHITECTURE.md, "Registry mode").
 *
 * - `entrepot`: all doors; `hosted.names` are ours, everything else belongs to an upstream.
 * - `registry`: a configuration that `registry:2` would understand, without `proxy`: every name is hosted.
 * - `registry-proxy`: the same with `proxy.remoteurl`: every name is that one upstream's.
 */
export type Mode = 'entrepot' | 'registry' | 'registry-proxy';

export type * from './access-config.ts';
export type * from './health-config.ts';
export type { InterceptConfig } from './intercept-config.ts';
export type * from './tls-config.ts';

export interface Config {
  readonly mode: Mode;
  /** The file it was read from; undefined when there was none. */
  readonly file: string | undefined;
  readonly log: LogConfig;
  readonly http: HttpConfig;
  readonly certificates: CertificatesConfig;
  readonly storage: StorageConfig;
  readonly index: IndexConfig;
  readonly hosted: HostedConfig;
  /** Exact names and wildcards, built-in and configured; look one up with `upstreamLookup` from `upstream-lookup.ts`. */
  readonly upstreams: readonly UpstreamConfig[];
  /** The name of the upstream that a plain `library/redis` belongs to; undefined only in mode `registry`, which has none. */
  readonly defaultUpstream: string | undefined;
  readonly cache: CacheConfig;
  readonly collect: CollectConfig;
  readonly access: AccessConfig;
  readonly auth: AuthConfig;
  /** The transparent proxy; undefined where it is off. */
  readonly intercept: InterceptConfig | undefined;
  readonly admin: AdminConfig;
  readonly lists: ListsConfig;
  readonly notifications: NotificationsConfig;
  readonly health: HealthConfig;
}

export interface LogConfig {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly formatter: 'text' | 'json' | 'logstash';
  /** Added to every line. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly accessLog: boolean;
}

export interface HttpConfig {
  readonly listen: readonly ListenAddress[];
  /** Paths of unix sockets to listen on instead of `listen`, or besides. */
  readonly sockets: readonly string[];
  /** What stands before `/v2/` in every path: empty, or `/registry`. */
  readonly prefix: string;
  /** Sent with every answer, in this order; one name may have several values. */
  readonly headers: readonly (readonly [name: string, values: readonly string[]])[];
  readonly tls: TlsConfig | undefined;
  readonly debug: DebugConfig | undefined;
  /** Addresses and CIDR ranges whose X-Forwarded-* counts. */
  readonly trustedProxies: readonly string[];
  /** How long open requests may take to end after SIGTERM. */
  readonly drainMs: number;
  /** Location headers are paths instead of URLs. */
  readonly relativeUrls: boolean;
  /** The URL that clients use, where it can't be told from the request, without a trailing slash. */
  readonly externalUrl: string | undefined;
}

/** `host` is undefined where every address of the machine is meant. Port 0 is any free one. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** Metrics are at `prometheusPath`, if at all. Where it `takesHealth`, anybody may declare this server unwell, as with registry. */
export interface DebugConfig {
  readonly listen: ListenAddress;
  /** False where it's only our default: a port in use is then worth a line in the log, not an end. */
  readonly required: boolean;
  readonly prometheusPath: string | undefined;
  readonly takesHealth: boolean;
}

/** All paths in the configuration are absolute. */
export type StorageConfig =
  | { readonly driver: 'filesystem'; readonly rootDirectory: string }
  | { readonly driver: 'inmemory' };

export type IndexConfig = { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'sqlite-memory' };

export interface HostedConfig {
  /** Globs of repository names; see `globMatcher`. */
  readonly names: readonly string[];
  /** Globs of `repository:tag`. */
  readonly immutable: readonly string[];
  /** Manifests may be pushed before what they refer to. */
  readonly sparse: boolean;
  /** Clients may delete what is hosted. */
  readonly deletes: boolean;
  /** Nothing that is hosted changes. */
  readonly readOnly: boolean;
  readonly uploads: UploadsConfig;
  readonly manifests: ManifestRules;
}

/** When unfinished uploads are given up. */
export interface UploadsConfig {
  /** After the last byte that came; `Infinity` where they are kept. */
  readonly idleMsMax: number;
  readonly everyMs: number;
  /** Only said, not done. */
  readonly dryRun: boolean;
}

/** What pushed manifests may hold. */
export interface ManifestRules {
  /** Regular expressions of URLs that layers may be fetched from elsewhere; undefined is any. */
  readonly urls: { readonly allow: readonly string[] | undefined; readonly deny: readonly string[] };
  /** `os/architecture` of the manifests that have to be there before an index that lists them; undefined is all. */
  readonly platforms: readonly string[] | undefined;
}

export interface UpstreamConfig {
  /** Lower case, without a default port. May hold `*`, each for one part between dots: `*.gcr.io`. */
  readonly name: string;
  /** Other names for the same upstream: `index.docker.io`. */
  readonly aliases: readonly string[];
  readonly builtIn: boolean;
  /** The configuration says something of it, be it in the built-in table or not. */
  readonly named: boolean;
  /** Nobody named it: it was found to behave like a registry (`intercept.hosts: "*"`). */
  readonly learned?: boolean;
  /** Where `/v2/` is, without a trailing slash. A wildcard's URL has the stars of its name. */
  readonly url: string;
  /** Whether `library/` is put before a name of one part. Docker Hub only. */
  readonly library: boolean;
  readonly mirrors: readonly MirrorConfig[];
  readonly credentials: UpstreamCredentials;
  /** Who may see what only our credentials can see. */
  readonly exposure: 'anyone' | 'authenticated' | 'passthrough';
  /** Hosts (or `host:port`) of token services besides the upstream's own. Exact names. */
  readonly realms: readonly string[];
  /** The first rule whose glob matches the tag counts; the last one matches every tag. */
  readonly freshness: readonly FreshnessRule[];
  /** Whether what we hold is served when the upstream answers *us* 404 (`notfound`) or 401 and 403 (`denied`). */
  readonly keep: { readonly notfound: boolean; readonly denied: boolean };
  /** Globs of repository names within this upstream; `deny` wins. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Transfers at once. */
  readonly concurrency: number;
  /** Ranges that one big blob is fetched in; 1 is off. */
  readonly ranges: number;
  readonly bandwidthBytesPerSecond: number;
  /** A PEM file with further certificate authorities. */
  readonly caPath: string | undefined;
  /** An unverified certificate is accepted. Plain http is said by `url`. */
  readonly insecure: boolean;
  /** The outbound proxy: http, https or socks5; undefined is what HTTP(S)_PROXY and NO_PROXY say. Holds no credentials. */
  readonly proxy: OutboundProxy | undefined;
  readonly timeouts: { readonly connectMs: number; readonly headersMs: number; readonly stallMs: number };
  /** Addresses and CIDR ranges that names may resolve to although they are loopback or link-local. */
  readonly dial: readonly string[];
  /** DNS servers, as `address` or `address:port`; empty is the machine's own. */
  readonly resolver: readonly string[];
  readonly family: 'any' | '4' | '6';
}

export interface MirrorConfig {
  readonly url: string;
  /** Whether it is asked where a tag points, and not for bytes only. */
  readonly resolve: boolean;
}

export interface OutboundProxy {
  readonly url: string;
  readonly username: string | undefined;
  readonly password: Secret | undefined;
}

export type UpstreamCredentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'static'; readonly username: string; readonly password: Secret }
  | { readonly kind: 'passwordFile'; readonly username: string; readonly path: string }
  | { readonly kind: 'dockerConfig'; readonly path: string }
  | { readonly kind: 'helper'; readonly name: string }
  /** registry's `proxy.exec`. It is asked for each of `servers` until it knows one. */
  | {
      readonly kind: 'command';
      readonly command: string;
      readonly servers: readonly string[];
      /** How long its answer counts; `Infinity` until it is refused. */
      readonly lifetimeMs: number;
    }
  | { readonly kind: 'provider'; readonly provider: 'ecr' | 'gcr' | 'acr' };

export interface FreshnessRule {
  /** A glob. */
  readonly tags: string;
  /** 0 asks every time, `Infinity` never again. */
  readonly forMs: number;
}

export interface CacheConfig {
  readonly size: SizeLimit | { readonly kind: 'free-at-first-start'; readonly percent: number };
  /** The floor: this much of the disk stays free. */
  readonly diskFree: SizeLimit;
  /** Globs of `upstream/repository:tag`, or of `upstream/repository` for all its tags. */
  readonly pins: readonly string[];
  readonly offline: boolean;
  /** What nobody has read for this long is evicted; `Infinity` unless registry's `proxy.ttl` says otherwise. */
  readonly unusedMs: number;
}

/** A number of bytes, or a share of the disk. */
export type SizeLimit =
  | { readonly kind: 'bytes'; readonly sizeBytes: number }
  | { readonly kind: 'percent'; readonly percent: number };

export interface ListsConfig {
  readonly catalog: PageRule;
  readonly tags: PageRule;
}

/** How many entries one page of a list has. */
export interface PageRule {
  readonly entriesMax: number;
  /** When nobody asks for a number. */
  readonly entriesDefault: number;
  /** What becomes of a request for more. */
  readonly beyond: 'refuse' | 'clamp';
}

export interface NotificationsConfig {
  /** Events tell what a manifest refers to. */
  readonly includeReferences: boolean;
  readonly endpoints: readonly EndpointConfig[];
}

/** Somebody who is told of what happens. */
export interface EndpointConfig {
  /** Its own: it names the queue. */
  readonly name: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, values: readonly Secret[]])[];
  readonly timeoutMs: number;
  /** So many failures in a row, and each further attempt waits for so long. */
  readonly threshold: number;
  readonly backoffMs: number;
  readonly ignoredMediaTypes: readonly string[];
  readonly ignoredActions: readonly string[];
}

export interface CollectConfig {
  /** What nothing refers to is kept for so long after it was last touched. */
  readonly graceMs: number;
  /** Manifests without a tag go after so long; `undefined` keeps them. */
  readonly untaggedMs: number | undefined;
  /** `Infinity`: not by itself. */
  readonly everyMs: number;
}

export interface AdminConfig {
  /** The path of the unix socket; undefined where there can be none. */
  readonly socket: string | undefined;
  /** A file with what remote administration has to show; without it there is none. */
  readonly tokenPath: string | undefined;
}
