import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { locate } from './place.ts';
import type { RoutingTable } from './place.ts';
import { objectOf } from './route.ts';
import type { ContentRoute, NamedObject } from './route.ts';
import { parseQuery, pathSegments, shown } from './url.ts';

/** What a request is about that goes on to another registry, whatever its method. */
export interface BeyondRoute extends Pick<NamedObject, 'kind' | 'text'> {
  readonly key: RepositoryKey;
  /** For a mount: where the blob is to come from. */
  readonly mount: { readonly from: RepositoryKey | undefined } | undefined;
}

/**
 * Reads a request as `route` does, and as the registry will that gets it as it is: what is judged here has to be what is
 * done there.
 * @returns `undefined` where it is about no repository: a ping, a catalog, a token, what is not of the registry's API
 * @throws RegistryError for what is of the API and cannot be read, or not in one way alone
 */
export function routeBeyond(url: string, host: string, table: RoutingTable): BeyondRoute | undefined {
  const [path, query] = parted(url);
  if (!ofApi.test(path)) return undefined;
  if (!path.startsWith('/v2') || !isPlain(path)) {
    const message = `${shown(path)} can be read in several ways, and is not passed on; write it without escapes`;
    throw new RegistryError('NAME_INVALID', message);
  }
  const rest = pathSegments(path).slice(1);
  if (rest.length <= 1 || (rest.length === 2 && rest[1] === '')) return undefined;
  const object = objectOf(rest) ?? uploadIn(rest);
  if (object === undefined) {
    const message = `there is nothing at ${shown(path)} that a registry is known to have; it is not passed on`;
    throw new RegistryError('NOT_FOUND', message);
  }
  const { kind, text } = object;
  const key = keyThere(rest.slice(0, object.nameLength).join('/'), host, table);
  return { kind, text, key, mount: kind === 'uploads' ? mountIn(query, host, table) : undefined };
}

/** Whether the registry reads the path as it was read here, when it gets it as it is. */
export function isReadAlike({ path, askedName, key: { name } }: ContentRoute): boolean {
  return path.startsWith('/v2/') && isPlain(path) && isNameOf(askedName, name);
}

/** Also for servers that decode, fold or cut off more of a path than they should. */
const ofApi = /^\/+(?:v|%[57]6)(?:2|%32)(?![\w.~-])/i;

/** Without anything that others may read as something else: escapes, empty parts, `.`, `..`, parameters (`;`). */
function isPlain(path: string): boolean {
  return !/[%;#\\]|\/\/|\/\.{1,2}(?:\/|$)/.test(path);
}

/** Where an upload goes on is for its registry to say; clients ask for what it said (distribution specification, "Location"). */
function uploadIn(rest: readonly string[]): NamedObject | undefined {
  const nameLength = rest.findLastIndex((part, at) => part === 'blobs' && /^uploads?$/.test(rest[at + 1] ?? ''));
  return nameLength < 1 ? undefined : { kind: 'upload', nameLength, text: rest.slice(nameLength + 2).join('/') };
}

/** @throws RegistryError when it is no name, or one that is another's there */
function keyThere(text: string, host: string, table: RoutingTable): RepositoryKey {
  const { key } = locate({ text, prefixed: false }, undefined, host, table);
  if (isNameOf(text, key.name)) return key;
  throw new RegistryError('NAME_INVALID', `${shown(text)} names the registry once more; leave that out`);
}

/** Docker Hub's names of one part stand for longer ones. */
function isNameOf(text: string, name: string): boolean {
  return text === name || `library/${text}` === name;
}

/** @throws RegistryError for a query that others may read as another one */
function mountIn(query: string, host: string, table: RoutingTable): BeyondRoute['mount'] {
  if (!/^(?:[\w.~-]*(?:=[^&;]*)?(?:&|$))*$/.test(query)) {
    const message = 'the query of an upload has names with escapes, or a ";", and is not passed on';
    throw new RegistryError('REQUEST_INVALID', message);
  }
  const { mount, from } = parseQuery(query);
  return mount === undefined ? undefined : { from: from === undefined ? undefined : keyThere(from, host, table) };
}

/** The same request for an upload, without a mount. */
export function withoutMount(url: string): string {
  const [path, query] = parted(url);
  const kept = query.split('&').filter((pair) => !/^(?:mount|from)(?:=|$)/.test(pair));
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function parted(url: string): readonly [path: string, query: string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}
