import type { Handler, Reply, Request } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Reference } from '../oci/reference.ts';
import type { Ask, Repository, RepositoryKey } from '../oci/repository.ts';
import { getBlob } from './blobs.ts';
import { listCatalog } from './catalog.ts';
import type { Catalog } from './catalog.ts';
import type { Asked } from './content.ts';
import { failureReply } from './failure.ts';
import { getManifest } from './manifests.ts';
import { pingReply, rootReply } from './ping.ts';
import { listReferrers } from './referrers.ts';
import { route } from './route.ts';
import type { ContentRoute, Route, RouteFailure, RoutingTable } from './route.ts';
import { listTags } from './tags.ts';

export interface RegistryOptions {
  /** Asked anew for every request, so that a reload takes effect at once. */
  readonly routing: () => RoutingTable;
  /** A repository of an upstream, or a hosted one; `undefined` when nobody hosts it. */
  readonly repositories: (key: RepositoryKey) => Repository | undefined;
  readonly catalog: Catalog;
  /** The operator's allow and deny rules, before anything else is done with a request: the error to refuse it with. */
  readonly judge: (key: RepositoryKey, reference: Reference | undefined) => RegistryError | undefined;
}

/** The OCI Distribution API over repositories that may be anything: cached, hosted, in memory. */
export function createRegistry(options: RegistryOptions): Handler {
  return async (request) => {
    const found = route(request.method, request.url, request.authority, options.routing());
    if (found.kind === 'failure') return failureReply(found.error, request, { label: undefined, allow: found.allow });
    try {
      return await answer(options, request, found);
    } catch (error) {
      return failureReply(error, request, { label: labelOf(found) });
    }
  };
}

async function answer(options: RegistryOptions, request: Request, found: Exclude<Route, RouteFailure>): Promise<Reply> {
  switch (found.kind) {
    case 'root':
      return rootReply;
    case 'ping':
      return pingReply;
    case 'catalog':
      return await listCatalog(options.catalog, found, askOf(request));
    case 'manifest':
      return await getManifest(open(options, request, found), found.reference);
    case 'blob':
      return await getBlob(open(options, request, found), found.digest);
    case 'tags':
      return await listTags(open(options, request, found));
    case 'referrers':
      return await listReferrers(open(options, request, found), found.digest);
  }
}

/** @throws RegistryError when the operator's rules refuse it, or nobody has such a repository */
function open(options: RegistryOptions, request: Request, target: ContentRoute): Asked {
  const { key } = target;
  const reference = referenceOf(target);
  request.notes.upstream = key.upstream;
  request.notes.repository = key.name;
  request.notes.reference = reference;
  const refusal = options.judge(key, reference);
  if (refusal !== undefined) throw refusal;
  const repository = options.repositories(key);
  if (repository === undefined) {
    throw new RegistryError('NAME_UNKNOWN', `${key.name} is a name hosted here, and nobody has pushed it`);
  }
  return { request, target, repository, ask: askOf(request) };
}

function askOf(request: Request): Ask {
  const control = request.headers['cache-control'];
  return {
    asker: { kind: 'anonymous' },
    revalidate: control !== undefined && /(?:^|[\s,])no-cache(?:$|[\s,=])/i.test(control),
    requestId: request.id,
  };
}

function referenceOf(target: ContentRoute): Reference | undefined {
  if (target.kind === 'manifest') return target.reference;
  return target.kind === 'tags' ? undefined : target.digest;
}

function labelOf(found: Route): string | undefined {
  if (!('key' in found)) return undefined;
  const { upstream, name } = found.key;
  return upstream === undefined ? name : `${upstream}/${name}`;
}
