import type { Reply, Request, Via } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Presented, RepositoryKey } from '../oci/repository.ts';
import { failureReply } from './failure.ts';
import { route } from './route.ts';
import type { Route, RouteFailure, RoutingTable } from './route.ts';

/** What lies beyond this server for clients who believe to talk to another one. */
export interface Beyond {
  /** What a client says about itself to an upstream that it believes to talk to; `undefined` where it means us. */
  presented(request: Request): Presented | undefined;
  /**
   * Passes a request on as it is, and its answer back.
   * @throws RegistryError when there is no answer
   */
  pass(request: Request, via: Via): Promise<Reply>;
  /** The same for `/v2/`, which is answered as far as it can be while the registry is away. */
  ping(request: Request, via: Via): Promise<Reply>;
  /** Whether pushes and deletions are passed on. */
  passesPushes(): boolean;
  /** The upstream has taken a push or a deletion: where the tag pointed may be over. */
  moved(key: RepositoryKey, tag: Tag): Promise<void>;
}

/**
 * A request for another registry, to which the client believes to talk. What is kept here is answered from here; all else
 * goes on to it untouched, with whatever the client says about itself, and is answered here only while it is away.
 */
export async function answerFor(
  via: Via,
  request: Request,
  found: Route | RouteFailure,
  around: {
    readonly beyond: Beyond;
    readonly table: RoutingTable;
    /** As for any other door. */
    readonly answer: () => Promise<Reply>;
  },
): Promise<Reply> {
  const { beyond, table, answer } = around;
  switch (found.kind) {
    case 'manifest':
      return await answer();
    case 'blob':
      // That is how a push asks what it may leave out: what is here for others to read is not there for it.
      return request.method === 'HEAD' ? await unlessAway(there(beyond, request, via, answer), answer) : await answer();
    case 'tags':
    case 'referrers':
      return await unlessAway(beyond.pass(request, via), answer);
    case 'ping':
      return await beyond.ping(request, via);
    default: {
      if (!isPlain(request.url)) return await answer();
      if (isPush(request) && !beyond.passesPushes()) return pushRefused(request, via);
      const reply = await beyond.pass(request, via);
      await note(reply, via, request, { beyond, table });
      return reply;
    }
  }
}

/**
 * A path that others may read as another one (`//`, `..`, or either of them hidden) would go past the rules, which have read
 * it as it is.
 */
function isPlain(url: string): boolean {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  return !/\/\/|\/\.{1,2}(?:\/|$)|%2e|%2f|%5c|\\/i.test(path);
}

/** The repository that a request is about, be it a push. */
export function keyBeyond({ url }: Request, via: Via, table: RoutingTable): RepositoryKey | undefined {
  const [, name] = /^\/v2\/([^?#]+?)\/(?:blobs|manifests|tags|referrers)\//.exec(url) ?? [];
  if (name === undefined) return undefined;
  const meant = route('GET', `/v2/${name}/tags/list`, via.host, table);
  return meant.kind === 'tags' ? meant.key : undefined;
}

function isPush({ method, url }: Request): boolean {
  return method !== 'GET' && method !== 'HEAD' && /^\/v2\/.*\/(?:blobs|manifests)\//.test(url);
}

function pushRefused(request: Request, via: Via): Reply {
  const message = `pushes to ${via.host} are not passed on (intercept.push); push without this proxy`;
  return failureReply(new RegistryError('DENIED', message, { origin: 'operator' }), request, { label: undefined });
}

async function note(
  { status }: Reply,
  via: Via,
  { method, url }: Request,
  { beyond, table }: { readonly beyond: Beyond; readonly table: RoutingTable },
): Promise<void> {
  const changed = (method === 'PUT' && status === 201) || (method === 'DELETE' && status === 202);
  if (!changed) return;
  const meant = route('GET', url, via.host, table);
  if (meant.kind === 'manifest' && !isDigestReference(meant.reference)) await beyond.moved(meant.key, meant.reference);
}

/** A registry that gives a link to a blob has it; where the link leads to, clients may have no way. */
async function there(beyond: Beyond, request: Request, via: Via, answer: () => Promise<Reply>): Promise<Reply> {
  const reply = await beyond.pass(request, via);
  if (reply.status < 300 || reply.status > 399) return reply;
  if (reply.body.kind === 'stream') reply.body.cancel?.();
  return await answer();
}

/** What is held here does for a registry that is away, or fails. */
async function unlessAway(passed: Promise<Reply>, instead: () => Promise<Reply>): Promise<Reply> {
  try {
    const reply = await passed;
    if (reply.status < 500) return reply;
    if (reply.body.kind === 'stream') reply.body.cancel?.();
  } catch (error) {
    if (!(error instanceof RegistryError) || error.origin !== 'upstream') throw error;
  }
  return await instead();
}
