/** Which registry a name means: one pure function of (door, mode, host, `ns`, name, claims). */
import type { Mode } from '../config/config.ts';
import { upstreamName } from '../config/value/upstream-name.ts';
import { RegistryError } from '../oci/errors.ts';
import { isRepositoryName, parseRepositoryName } from '../oci/reference.ts';
import { fullName } from '../oci/repository.ts';
import type { Action, RepositoryKey } from '../oci/repository.ts';
import { shown } from './url.ts';

/** What routing depends on besides the request. */
export interface RoutingTable {
  readonly mode: Mode;
  /** What stands before every path: empty, or `/registry` (`http.prefix`). */
  readonly prefix: string;
  /** The upstream of a name that says nothing else; in mode `registry-proxy` that of every name. */
  readonly defaultUpstream: RoutedUpstream | undefined;
  /** A closed table; `host` is lower case, without the default port. */
  findUpstream(host: string): RoutedUpstream | undefined;
  /** Declared as hosted (`hosted.names`). */
  isHosted(name: string): boolean;
  /** Somebody has pushed it, ever: the convenience for names that nobody pushed ends there for good. */
  isClaimed(name: string): boolean;
  /** One of the names by which clients call this server; `host` as for `findUpstream`. */
  isOwnName(host: string): boolean;
}

export interface RoutedUpstream {
  /** Its canonical name: `docker.io`. */
  readonly name: string;
  /** Whether `library/` is put before a name of one part: Docker Hub alone. */
  readonly library: boolean;
}

/** How the registry was named: not at all, by `ns`, in the path, as our own, or outside of the URL's path and query. */
export type Door = 'mirror' | 'ns' | 'path' | 'own' | 'name';

export interface Place {
  readonly key: RepositoryKey;
  readonly door: Door;
  /** For the OCI-Namespace header (distribution specification, "Registry Proxying"): `ns` as it was sent, else the upstream's name. */
  readonly namespace: string | undefined;
}

export interface AskedName {
  /** With the registry in front of it, where the path names one. */
  readonly text: string;
  /** The registry stood before `/v2/`, where nothing else can stand. */
  readonly prefixed: boolean;
}

/** In the order of ARCHITECTURE.md, "Which registry is meant". */
export function locate(
  asked: AskedName,
  ns: string | undefined,
  authority: string | undefined,
  table: RoutingTable,
): Place {
  if (table.mode === 'registry') return hostedPlace(asked.text, undefined);
  if (table.mode === 'registry-proxy') return defaultPlace(asked.text, table);
  if (authority !== undefined && !isOwn(authority, table)) {
    const upstream = upstreamOf(authority, table);
    return at(upstream, withinUpstream(asked, upstream, table), 'name', upstream.name);
  }
  if (ns !== undefined) {
    if (isOwn(ns, table)) return hostedPlace(asked.text, ns);
    const upstream = upstreamOf(ns, table);
    const isRegistry = asked.prefixed || (upstream.library && namesUpstream(asked.text, table));
    return at(upstream, withinUpstream({ ...asked, prefixed: isRegistry }, upstream, table), 'ns', ns);
  }
  if (isRepositoryName(asked.text) && table.isHosted(asked.text)) return hostedPlace(asked.text, undefined);
  const [host, name] = splitHost(asked.text);
  if (host === undefined) return defaultPlace(asked.text, table);
  if (isOwn(host, table)) return hostedPlace(name, undefined);
  const upstream = upstreamOf(host, table);
  return at(upstream, name, 'path', upstream.name);
}

/** For a name within a request, such as where a blob is to be mounted from; `undefined` when it is nobody's. */
export function repositoryNamed(name: string, table: RoutingTable): RepositoryKey | undefined {
  try {
    return locate({ text: name, prefixed: false }, undefined, undefined, table).key;
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/**
 * What a token that names a repository may be good for. As in a path, the name of one part may be ours or, to pull, Docker
 * Hub's.
 */
export function fullNamesOf(name: string, action: Action, table: RoutingTable): readonly string[] {
  const key = repositoryNamed(name, table);
  if (key === undefined) return [];
  const lent = action === 'pull' ? publicNamesake({ key, door: 'own', namespace: undefined }, table) : undefined;
  return [fullName(key), ...(lent === undefined ? [] : [fullName(lent.key)])];
}

/**
 * With `ns`, or behind a proxy, the path may name the registry once more: a mirror's URL was given with a path. The same
 * registry twice is the registry once; two different ones are nobody's image.
 */
function withinUpstream(asked: AskedName, upstream: RoutedUpstream, table: RoutingTable): string {
  const [host, name] = splitHost(asked.text);
  if (host === undefined) return asked.text;
  const named = upstreamName(host);
  if (named !== undefined && table.findUpstream(named)?.name === upstream.name) return name;
  if (!asked.prefixed) return asked.text;
  throw new RegistryError(
    'REQUEST_INVALID',
    `the path names the registry ${shown(host)}, but the client asks for ${upstream.name}; point its mirror at this server without a path`,
  );
}

/** Docker Hub's names begin with no registry. Those of others may: projects that copy one are called by its name. */
function namesUpstream(name: string, table: RoutingTable): boolean {
  const [host] = splitHost(name);
  const named = host === undefined ? undefined : upstreamName(host);
  return named !== undefined && table.findUpstream(named) !== undefined;
}

export function hostedPlace(name: string, namespace: string | undefined): Place {
  return { key: { upstream: undefined, name: parseRepositoryName(name) }, door: 'own', namespace };
}

function defaultPlace(name: string, table: RoutingTable): Place {
  const upstream = table.defaultUpstream;
  if (upstream === undefined)
    throw new RegistryError('NAME_UNKNOWN', 'no default upstream is set; set defaultupstream:');
  return at(upstream, name, 'mirror', upstream.name);
}

function at(upstream: RoutedUpstream, name: string, door: Door, namespace: string): Place {
  const full = upstream.library && !name.includes('/') ? `library/${name}` : name;
  return { key: { upstream: upstream.name, name: parseRepositoryName(full) }, door, namespace };
}

/**
 * `docker pull cache:5000/nginx` means what people mean: Docker Hub's, as long as nobody has ever pushed an `nginx` here.
 * Never for the HEAD of a blob: that is how a push asks whether it may leave the blob out.
 */
export function publicNamesake({ key, namespace }: Place, table: RoutingTable): Place | undefined {
  const wanted = table.mode === 'entrepot' && key.upstream === undefined && !key.name.includes('/');
  if (!wanted || table.isClaimed(key.name)) return undefined;
  const hub = table.findUpstream('docker.io');
  return hub && { ...at(hub, `library/${key.name}`, 'own', namespace ?? hub.name) };
}

/** Docker's own rule for what is a registry and what the first part of a name. */
export function looksLikeHost(text: string): boolean {
  return text.includes('.') || text.includes(':') || text.toLowerCase() === 'localhost';
}

export function splitHost(name: string): readonly [host: string | undefined, name: string] {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  return slash > 0 && looksLikeHost(first) ? [first, name.slice(slash + 1)] : [undefined, name];
}

/** One of the names by which clients call this server. */
export function isOwn(text: string, table: RoutingTable): boolean {
  const host = visible.test(text) ? upstreamName(text) : undefined;
  return host !== undefined && table.isOwnName(host);
}

const visible = /^[!-~]+$/;

/** A key into a closed table; never a place to connect to. */
export function upstreamOf(text: string, table: RoutingTable): RoutedUpstream {
  const upstream = knownUpstream(text, table);
  if (upstream !== undefined) return upstream;
  throw new RegistryError(
    'UPSTREAM_UNKNOWN',
    `${shown(text)} is not a registry that this server knows; add it under "upstreams:" in its configuration`,
    { origin: 'client' },
  );
}

export function knownUpstream(text: string, table: RoutingTable): RoutedUpstream | undefined {
  const host = visible.test(text) ? upstreamName(text) : undefined;
  return host === undefined ? undefined : table.findUpstream(host);
}
