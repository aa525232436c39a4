/**
 * The only URL parser: which registry, which repository, which object a request means. One pure function.
 *
 * Names contain slashes, so paths are read from the right. Every spelling of an upstream's repository leads to the same
 * key: `/v2/<name>` with `?ns=quay.io` (containerd), `/v2/quay.io/<name>` (podman, kaniko, docker pull), and
 * `/quay.io/v2/<name>` (a mirror URL with a path, in dockerd and containerd).
 */
import type { Mode } from '../config/config.ts';
import { upstreamName } from '../config/value/upstream-name.ts';
import { isDigest, parseDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isRepositoryName, isTag, parseRepositoryName } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { parseQuery, pathSegments, shown } from './url.ts';
import type { Query } from './url.ts';

/** What routing depends on besides the request. */
export interface RoutingTable {
  readonly mode: Mode;
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

export type Route = { readonly kind: 'root' } | { readonly kind: 'ping' } | CatalogRoute | ContentRoute;

export interface CatalogRoute {
  readonly kind: 'catalog';
  /** As the client wrote it, for links back. */
  readonly path: string;
  readonly query: Query;
}

export type ContentRoute = Target &
  (
    | { readonly kind: 'manifest'; readonly reference: Reference }
    | { readonly kind: 'blob'; readonly digest: Digest }
    | { readonly kind: 'tags' }
    | { readonly kind: 'referrers'; readonly digest: Digest }
  );

export interface Target {
  readonly key: RepositoryKey;
  readonly door: Door;
  /** The repository's name as it stands in the URL. */
  readonly askedName: string;
  /** For the OCI-Namespace header (distribution specification, "Registry Proxying"): `ns` as it was sent, else the upstream's name. */
  readonly namespace: string | undefined;
  /** As the client wrote it, for links back. */
  readonly path: string;
  readonly query: Query;
}

export interface RouteFailure {
  readonly kind: 'failure';
  readonly error: RegistryError;
  /** The methods that are allowed, where this one is not (RFC 9110, 10.2.1). */
  readonly allow: string | undefined;
}

/** @param authority the registry that was named outside of path and query, if any: see Request.authority */
export function route(
  method: string,
  url: string,
  authority: string | undefined,
  table: RoutingTable,
): Route | RouteFailure {
  try {
    return parse(method, url, authority, table);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { kind: 'failure', error, allow: error.code === 'UNSUPPORTED' ? allowed : undefined };
  }
}

const allowed = 'GET, HEAD';

function parse(method: string, url: string, authority: string | undefined, table: RoutingTable): Route {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  if (path === '/') return reading(method, { kind: 'root' });
  const query = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
  const segments = pathSegments(path);
  const api = segments.indexOf('v2');
  if (api < 0 || (api > 0 && (table.mode !== 'entrepot' || !looksLikeHost(segments[0] ?? '')))) throw notFound(path);
  const prefix = segments.slice(0, api);
  const rest = segments.slice(api + 1);
  if (rest.length === 0 || (rest.length === 1 && rest[0] === '')) {
    if (api > 0) upstreamOf(prefix[0] ?? '', table);
    return reading(method, { kind: 'ping' });
  }
  if (api === 0 && rest.length === 1 && rest[0] === '_catalog')
    return reading(method, { kind: 'catalog', path, query });
  const object = objectOf(rest);
  if (object === undefined) throw notFound(path);
  const askedName = rest.slice(0, object.nameLength).join('/');
  if (method !== 'GET' && method !== 'HEAD') throw refused(method, object.kind);
  const asked = { text: [...prefix, askedName].join('/'), prefixed: api > 0 };
  const located = locate(asked, query.ns, authority, table);
  const place = (isPull(object.kind, method) ? publicNamesake(located, table) : undefined) ?? located;
  return contentRoute(object, { ...place, askedName, path, query });
}

function contentRoute({ kind, text }: NamedObject, target: Target): ContentRoute {
  switch (kind) {
    case 'manifest':
      return { ...target, kind, reference: referenceOf(text, target) };
    case 'blob':
    case 'referrers':
      return { ...target, kind, digest: parseDigest(text) };
    case 'tags':
      return { ...target, kind };
    case 'upload':
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
  }
}

interface NamedObject {
  readonly kind: 'manifest' | 'blob' | 'tags' | 'referrers' | 'upload';
  /** How many of the path's parts are the repository's name. */
  readonly nameLength: number;
  readonly text: string;
}

/** From the right: a repository may well be called `manifests/tags`. */
function objectOf(rest: readonly string[]): NamedObject | undefined {
  const length = rest.length;
  const text = rest[length - 1] ?? '';
  const nameLength = length - 2;
  if (nameLength < 1) return undefined;
  switch (rest[length - 2]) {
    case 'manifests':
      return { kind: 'manifest', nameLength, text };
    case 'referrers':
      return { kind: 'referrers', nameLength, text };
    case 'blobs':
      return { kind: text === 'uploads' ? 'upload' : 'blob', nameLength, text };
    case 'tags':
      return text === 'list' ? { kind: 'tags', nameLength, text } : undefined;
    case 'uploads':
      return rest[length - 3] === 'blobs' && nameLength > 1
        ? { kind: 'upload', nameLength: nameLength - 1, text }
        : undefined;
    default:
      return undefined;
  }
}

type Place = Pick<Target, 'key' | 'door' | 'namespace'>;

interface AskedName {
  /** With the registry in front of it, where the path names one. */
  readonly text: string;
  /** The registry stood before `/v2/`, where nothing else can stand. */
  readonly prefixed: boolean;
}

/** In the order of ARCHITECTURE.md, "Which registry is meant". */
function locate(asked: AskedName, ns: string | undefined, authority: string | undefined, table: RoutingTable): Place {
  if (table.mode === 'registry') return hosted(asked.text, undefined);
  if (table.mode === 'registry-proxy') return defaultPlace(asked.text, table);
  if (authority !== undefined && !isOwn(authority, table)) {
    const upstream = upstreamOf(authority, table);
    return at(upstream, withinUpstream(asked, upstream, table), 'name', upstream.name);
  }
  if (ns !== undefined) {
    if (isOwn(ns, table)) return hosted(asked.text, ns);
    const upstream = upstreamOf(ns, table);
    return at(upstream, withinUpstream(asked, upstream, table), 'ns', ns);
  }
  if (isRepositoryName(asked.text) && table.isHosted(asked.text)) return hosted(asked.text, undefined);
  const [host, name] = splitHost(asked.text);
  if (host === undefined) return defaultPlace(asked.text, table);
  if (isOwn(host, table)) return hosted(name, undefined);
  const upstream = upstreamOf(host, table);
  return at(upstream, name, 'path', upstream.name);
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

function hosted(name: string, namespace: string | undefined): Place {
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
function publicNamesake({ key, namespace }: Place, table: RoutingTable): Place | undefined {
  const wanted = table.mode === 'entrepot' && key.upstream === undefined && !key.name.includes('/');
  if (!wanted || table.isClaimed(key.name)) return undefined;
  const hub = table.findUpstream('docker.io');
  return hub && { ...at(hub, `library/${key.name}`, 'own', namespace ?? hub.name) };
}

function isPull(kind: NamedObject['kind'], method: string): boolean {
  return kind === 'manifest' || (kind === 'blob' && method === 'GET');
}

/** Docker's own rule for what is a registry and what the first part of a name. */
function looksLikeHost(text: string): boolean {
  return text.includes('.') || text.includes(':') || text.toLowerCase() === 'localhost';
}

function splitHost(name: string): readonly [host: string | undefined, name: string] {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  return slash > 0 && looksLikeHost(first) ? [first, name.slice(slash + 1)] : [undefined, name];
}

function isOwn(text: string, table: RoutingTable): boolean {
  const host = visible.test(text) ? upstreamName(text) : undefined;
  return host !== undefined && table.isOwnName(host);
}

const visible = /^[!-~]+$/;

/** A key into a closed table; never a place to connect to. */
function upstreamOf(text: string, table: RoutingTable): RoutedUpstream {
  const host = visible.test(text) ? upstreamName(text) : undefined;
  const upstream = host === undefined ? undefined : table.findUpstream(host);
  if (upstream !== undefined) return upstream;
  throw new RegistryError(
    'UPSTREAM_UNKNOWN',
    `${shown(text)} is not a registry that this server knows; add it under "upstreams:" in its configuration`,
    { origin: 'client' },
  );
}

/** A tag that cannot be is a tag that is not there: clients go elsewhere on a 404, and on nothing else as surely. */
function referenceOf(text: string, { key }: Target): Reference {
  if (text.includes(':')) return isDigest(text) ? text : parseDigest(text);
  if (isTag(text)) return text;
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    `${shown(text)} cannot be a tag of ${key.upstream ?? 'hosted'} ${key.name}`,
  );
}

function reading<T extends Route>(method: string, found: T): T {
  if (method === 'GET' || method === 'HEAD') return found;
  throw refused(method, found.kind);
}

function refused(method: string, kind: string): RegistryError {
  const pushes = kind === 'upload' || kind === 'manifest' || kind === 'blob';
  const why = pushes ? 'this server caches other registries and takes no pushes or deletions' : 'this can only be read';
  return new RegistryError('UNSUPPORTED', `${shown(method)} is not supported: ${why}`);
}

function notFound(path: string): RegistryError {
  const message = `there is nothing at ${shown(path)}; the registry is below /v2/, or below the name of another one: /quay.io/v2/`;
  return new RegistryError('NOT_FOUND', message);
}
