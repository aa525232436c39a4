/**
 * The only URL parser: which registry, which repository, which object a request means. One pure function.
 *
 * Names contain slashes, so paths are read from the right. Every spelling of an upstream's repository leads to the same
 * key: `/v2/<name>` with `?ns=quay.io` (containerd), `/v2/quay.io/<name>` (podman, kaniko, docker pull), and
 * `/quay.io/v2/<name>` (a mirror URL with a path, in dockerd and containerd).
 */
import { isDigest, parseDigest } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag, parseTag } from '../oci/reference.ts';
import type { Reference } from '../oci/reference.ts';
import { parseUploadId } from '../oci/upload.ts';
import type { UploadId } from '../oci/upload.ts';
import { isOwn, locate, looksLikeHost, publicNamesake, upstreamOf } from './place.ts';
import type { Place, RoutingTable } from './place.ts';
import { parseQuery, pathSegments, shown } from './url.ts';
import type { Query } from './url.ts';

export type { RoutedUpstream, RoutingTable } from './place.ts';

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
    | { readonly kind: 'uploads' }
    | { readonly kind: 'upload'; readonly id: UploadId }
  );

export interface Target extends Place {
  /** The repository of Docker Hub, lent for a name of ours that nobody is known to have pushed. */
  readonly lent: boolean;
  /** The repository's name as it stands in the URL. */
  readonly askedName: string;
  /** As the client wrote it, for links back. */
  readonly path: string;
  /** The part of it that is the repository's: `/v2/<name>`. */
  readonly base: string;
  readonly query: Query;
}

export interface RouteFailure {
  readonly kind: 'failure';
  readonly error: RegistryError;
  /** The methods that are allowed, where this one is not (RFC 9110, 10.2.1). */
  readonly allow: string | undefined;
}

/** @param authority the registry that was named outside of path and query, if any: see Via */
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
    return { kind: 'failure', error, allow: error instanceof MethodRefused ? error.allow : undefined };
  }
}

class MethodRefused extends RegistryError {
  readonly allow: string;

  constructor(message: string, allow: string) {
    super('UNSUPPORTED', message);
    this.allow = allow;
  }
}

const reads = 'GET, HEAD';

/** What can be done to a thing that is hosted here. */
const methods: Readonly<Record<NamedObject['kind'], string>> = {
  manifest: 'GET, HEAD, PUT, DELETE',
  blob: 'GET, HEAD, DELETE',
  tags: reads,
  referrers: reads,
  uploads: 'GET, HEAD, POST',
  upload: 'GET, HEAD, PATCH, PUT, DELETE',
};

function parse(method: string, url: string, authority: string | undefined, table: RoutingTable): Route {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  if (path === '/') return reading(method, { kind: 'root' });
  // It is this server's: another one's paths have none.
  const prefix = authority === undefined || isOwn(authority, table) ? table.prefix : '';
  if (!path.startsWith(`${prefix}/`)) throw notFound(path, prefix);
  const query = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
  const segments = pathSegments(path.slice(prefix.length));
  const api = segments.indexOf('v2');
  if (api < 0 || (api > 0 && (table.mode !== 'entrepot' || !looksLikeHost(segments[0] ?? ''))))
    throw notFound(path, prefix);
  const before = segments.slice(0, api);
  const rest = segments.slice(api + 1);
  if (rest.length === 0 || (rest.length === 1 && rest[0] === '')) {
    if (api > 0) upstreamOf(before[0] ?? '', table);
    return reading(method, { kind: 'ping' });
  }
  if (api === 0 && rest.length === 1 && rest[0] === '_catalog')
    return reading(method, { kind: 'catalog', path, query });
  const object = objectOf(rest);
  if (object === undefined) throw notFound(path, prefix);
  const askedName = rest.slice(0, object.nameLength).join('/');
  if (!methods[object.kind].split(', ').includes(method)) throw notForThis(method, methods[object.kind]);
  const asked = { text: [...before, askedName].join('/'), prefixed: api > 0 };
  const located = locate(asked, query.ns, authority, table);
  const isRead = method === 'GET' || method === 'HEAD';
  if (!isRead && located.key.upstream !== undefined) throw pushRefused(located, table);
  const namesake = isRead && isPull(object.kind, method) ? publicNamesake(located, table) : undefined;
  const base = pathStart(path, prefix, api + 1 + object.nameLength);
  const place = { ...(namesake ?? located), lent: namesake !== undefined };
  return contentRoute(object, { ...place, askedName, path, base, query }, isRead);
}

function contentRoute({ kind, text }: NamedObject, target: Target, isRead: boolean): ContentRoute {
  switch (kind) {
    case 'manifest':
      return { ...target, kind, reference: isRead ? referenceOf(text, target) : writtenReference(text) };
    case 'blob':
    case 'referrers':
      return { ...target, kind, digest: parseDigest(text) };
    case 'tags':
      return { ...target, kind };
    case 'uploads':
      if (isRead) parseUploadId('');
      return { ...target, kind };
    case 'upload':
      return { ...target, kind, id: parseUploadId(target.key.upstream === undefined ? text : '') };
  }
}

export interface NamedObject {
  readonly kind: 'manifest' | 'blob' | 'tags' | 'referrers' | 'uploads' | 'upload';
  /** How many of the path's parts are the repository's name. */
  readonly nameLength: number;
  readonly text: string;
}

/** From the right: a repository may well be called `manifests/tags`. */
export function objectOf(rest: readonly string[]): NamedObject | undefined {
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
      return { kind: text === 'uploads' ? 'uploads' : 'blob', nameLength, text };
    case 'tags':
      return text === 'list' ? { kind: 'tags', nameLength, text } : undefined;
    case 'uploads':
      return rest[length - 3] === 'blobs' && nameLength > 1
        ? { kind: text === '' ? 'uploads' : 'upload', nameLength: nameLength - 1, text }
        : undefined;
    default:
      return undefined;
  }
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

function isPull(kind: NamedObject['kind'], method: string): boolean {
  return kind === 'manifest' || (kind === 'blob' && method === 'GET');
}

function writtenReference(text: string): Reference {
  return text.includes(':') ? parseDigest(text) : parseTag(text);
}

function reading<T extends Route>(method: string, found: T): T {
  if (method === 'GET' || method === 'HEAD') return found;
  throw notForThis(method, reads);
}

function notForThis(method: string, allow: string): RegistryError {
  return new MethodRefused(`${shown(method)} is not supported here; use one of ${allow}`, allow);
}

/** Where to push instead: the nearest name that is hosted. */
function pushRefused({ key }: Place, table: RoutingTable): RegistryError {
  const parts = key.name.split('/');
  const instead = [`local/${key.name}`, parts.at(-1) ?? ''].find((name) => table.isHosted(name));
  const where =
    table.mode === 'entrepot'
      ? `${instead === undefined ? '' : `push to ${instead}, or `}name it under "hosted.names" in the configuration`
      : 'push there, or to a registry of your own';
  return new MethodRefused(
    `${key.upstream}/${key.name} is kept here as a copy of ${key.upstream}, which takes no pushes or deletions: ${where}`,
    reads,
  );
}

/** The prefix, and so many parts after it. */
function pathStart(path: string, prefix: string, length: number): string {
  const rest = path.slice(prefix.length);
  return prefix + rest.split('/', 1 + length).join('/');
}

function notFound(path: string, prefix: string): RegistryError {
  const message = `there is nothing at ${shown(path)}; the registry is below ${prefix}/v2/, or below the name of another one: ${prefix}/quay.io/v2/`;
  return new RegistryError('NOT_FOUND', message);
}
