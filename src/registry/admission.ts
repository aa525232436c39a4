/** Who gets in, and what is said to those who do not. */
import { forbidden } from '../access/access.ts';
import type { Challenged } from '../access/challenge.ts';
import { firstOf } from '../http/forwarded.ts';
import type { Request } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import { fullName } from '../oci/repository.ts';
import type { Action, Asker, RepositoryKey } from '../oci/repository.ts';
import type { ContentRoute, Route, RouteFailure } from './route.ts';

export interface AdmissionOptions {
  /** Who sent a request. Asked once for each, before anything is looked up. */
  readonly identify: (request: Request) => Promise<Asker>;
  /** Whether he may do that to a repository, by its full name. */
  readonly may: (asker: Asker, action: Action, repository: string) => boolean;
  /** There is nothing at all for those who have not logged in. */
  readonly isClosed: () => boolean;
  /** How to log in; `undefined` where nobody can. */
  readonly challenge: (challenged: Challenged) => string | undefined;
  /** The URL that clients use for this server, without a trailing slash, where the operator has said so; else empty. */
  readonly externalUrl: () => string;
  /** What stands before every path: empty, or `/registry`. */
  readonly prefix: () => string;
}

/** An upload that is looked at or given up is still part of a push. */
export function actionOf(method: string, { kind }: ContentRoute): Action {
  if (kind === 'uploads' || kind === 'upload' || method === 'PUT') return 'push';
  return method === 'DELETE' ? 'delete' : 'pull';
}

/** @throws RegistryError when the asker may not do that */
export function admit(options: AdmissionOptions, asker: Asker, action: Action, { key }: ContentRoute): void {
  const name = fullName(key);
  if (options.may(asker, action, name)) return;
  if (asker.kind === 'operator' || asker.grants === undefined) throw forbidden(asker, action, key);
  const isAllowed = options.may({ ...asker, grants: { ...asker.grants, allows: () => true } }, action, name);
  if (!isAllowed) throw forbidden(asker, action, key);
  throw new RegistryError('UNAUTHORIZED', `the token is not made out to ${action} there; ask for one that is`);
}

/**
 * The same rules for who goes through here to another registry. Logins and searches there are of no repository.
 * @throws RegistryError when the asker may not do that
 */
export function admitBeyond(
  options: AdmissionOptions,
  asker: Asker,
  { method }: Request,
  key: RepositoryKey | undefined,
): void {
  if (key === undefined) {
    if (asker.kind === 'anonymous' && options.isClosed()) throw loginNeeded();
    return;
  }
  const action = method === 'GET' || method === 'HEAD' ? 'pull' : method === 'DELETE' ? 'delete' : 'push';
  if (!options.may(asker, action, fullName(key))) throw forbidden(asker, action, key);
}

/**
 * @returns whom to list repositories for
 * @throws RegistryError `UNAUTHORIZED` when the asker has to log in first
 */
export function admitToCatalog(options: AdmissionOptions, asker: Asker): Asker {
  if (asker.kind === 'operator') return asker;
  if (asker.grants === undefined) {
    if (asker.kind === 'anonymous' && options.isClosed()) throw loginNeeded();
    return asker;
  }
  if (!asker.grants.catalog)
    throw new RegistryError('UNAUTHORIZED', 'the token is not made out to list repositories; ask for one that is');
  return { ...asker, grants: { ...asker.grants, allows: (action) => action === 'pull' } };
}

/**
 * "Is this a registry, and who am I here?" dockerd and podman learn from its answer, and from no other, how to log in. So
 * whoever has not is told as soon as there is anything to log in for, also where much can be pulled without: what they
 * may pull anyway they then get a token for.
 * @throws RegistryError `UNAUTHORIZED`
 */
export function admitToPing(asker: Asker): void {
  if (asker.kind === 'anonymous' && asker.grants === undefined) throw loginNeeded();
}

/** @throws RegistryError `UNAUTHORIZED` when what was brought is not believed */
export function assertBelieved(asker: Asker): void {
  if (asker.kind === 'anonymous' && asker.refused !== undefined)
    throw new RegistryError('UNAUTHORIZED', `${asker.refused}; log in again`);
}

/**
 * Who comes as to a mirror of somebody else is never asked for a password, as long as anything is to be had without: what
 * some clients would send is the one that they have for that somebody else.
 */
export function isMirrorOf(options: AdmissionOptions, { url, via }: Request, found: Route | RouteFailure): boolean {
  if ('door' in found && found.door === 'own') return false;
  if ('door' in found && (found.door === 'ns' || found.door === 'name')) return true;
  return via !== undefined || !url.startsWith(`${options.prefix()}/v2`) || /[?&]ns=/.test(url);
}

/** How to log in, for a request that was refused because nobody has; `undefined` where it is not to be said. */
export function challengeFor(
  options: AdmissionOptions,
  request: Request,
  found: Route | RouteFailure,
  asker: Asker,
): string | undefined {
  if (isMirrorOf(options, request, found) && !options.isClosed()) return undefined;
  const isRefused = asker.kind === 'anonymous' && asker.refused !== undefined;
  const isScoped = asker.kind !== 'operator' && asker.grants !== undefined;
  return options.challenge({
    base: `${options.externalUrl() || `${schemeOf(request)}://${request.host}`}${options.prefix()}`,
    redirectBase: `${forwardedScheme(request) ?? 'https'}://${request.host}`,
    scope: scopeOf(request, found, options.prefix()),
    error: isRefused && isBearer(request) ? 'invalid_token' : isScoped ? 'insufficient_scope' : undefined,
  });
}

function scopeOf({ method }: Request, found: Route | RouteFailure, prefix: string): string | undefined {
  if (found.kind === 'catalog') return 'registry:catalog:*';
  if (!('key' in found)) return undefined;
  const action = actionOf(method, found);
  const isNamedElsewhere = found.door === 'ns' || found.door === 'name' || !found.path.startsWith(`${prefix}/v2/`);
  const name = isNamedElsewhere ? fullName(found.key) : found.askedName;
  const { mount, from } = found.query;
  const source = mount === undefined || from === undefined ? '' : ` repository:${from}:pull`;
  return `repository:${name}:${action === 'push' ? 'pull,push' : action}${source}`;
}

/** A password is worth more than a header: whoever says that it came encrypted is believed for the way back. */
function schemeOf(request: Request): 'http' | 'https' {
  return forwardedScheme(request) === 'https' ? 'https' : request.scheme;
}

function forwardedScheme({ headers }: Request): 'http' | 'https' | undefined {
  const scheme = firstOf(headers['x-forwarded-proto'] ?? '').toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

function isBearer({ headers }: Request): boolean {
  return /^bearer /i.test(headers['authorization'] ?? '');
}

function loginNeeded(): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'this needs a login; use docker login, or the like');
}
