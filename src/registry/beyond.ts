import type { Reply, Request, Via } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag } from '../oci/reference.ts';
import type { Tag } from '../oci/reference.ts';
import type { Presented, RepositoryKey } from '../oci/repository.ts';
import { isReadAlike, routeBeyond, withoutMount } from './beyond-route.ts';
import type { BeyondRoute } from './beyond-route.ts';
import { failureReply } from './failure.ts';
import type { Route, RouteFailure, RoutingTable } from './route.ts';

/** What lies beyond this server for clients who believe to talk to another one. */
export interface Beyond {
  /** What a client says about itself to an upstream that it believes to talk to; `undefined` where it means us. */
  presented(request: Request): Presented | undefined;
  /**
   * Passes a request on as it is, and its answer back.
   * @param url where it is to be another one than the client's
   * @throws RegistryError when there is no answer
   */
  pass(request: Request, via: Via, url?: string): Promise<Reply>;
  /** The same for `/v2/`, which is answered as far as it can be while the registry is away. */
  ping(request: Request, via: Via): Promise<Reply>;
  /** Whether pushes and deletions are passed on. */
  passesPushes(): boolean;
  /** The upstream has taken a push or a deletion: where the tag pointed may be over. */
  moved(key: RepositoryKey, tag: Tag): Promise<void>;
}

/**
 * What a request is about that is to another registry; `undefined` where it is about no repository.
 * @throws RegistryError for what would be passed on and cannot be judged
 */
export function meantBeyond(
  { url }: Request,
  via: Via,
  found: Route | RouteFailure,
  table: RoutingTable,
): BeyondRoute | undefined {
  if (!('key' in found)) return routeBeyond(url, via.host, table);
  return { kind: found.kind, text: '', key: found.key, mount: undefined };
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
    readonly meant: BeyondRoute | undefined;
    /** Whether the one who asks may have a blob from there. */
    readonly mayMount: (from: RepositoryKey) => boolean;
    /** As for any other door. */
    readonly answer: () => Promise<Reply>;
  },
): Promise<Reply> {
  const { beyond, answer } = around;
  if ('key' in found && !isReadAlike(found)) return await answer();
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
    default:
      return isPlain(request.url) ? await passOn(via, request, around) : await answer();
  }
}

/**
 * A path that others may read as another one (`//`, `..`, or either of them hidden) would go past the rules, which have read
 * it as it is.
 */
function isPlain(url: string): boolean {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  return !/\/\/|\/\.{1,2}(?:[/;]|$)|%2e|%2f|%5c|\\/i.test(path);
}

/** A mount that is not to be is the upload that it would be where the registry had no such blob. */
async function passOn(via: Via, request: Request, around: Parameters<typeof answerFor>[3]): Promise<Reply> {
  const { beyond, meant, mayMount } = around;
  const isWritten = meant !== undefined && request.method !== 'GET' && request.method !== 'HEAD';
  if (isWritten && !beyond.passesPushes()) return pushRefused(request, via);
  const { mount } = meant ?? {};
  const isMounted = mount === undefined || (mount.from !== undefined && mayMount(mount.from));
  const reply = await beyond.pass(request, via, isMounted ? request.url : withoutMount(request.url));
  await note(reply, request, meant, beyond);
  return reply;
}

function pushRefused(request: Request, via: Via): Reply {
  const message = `pushes to ${via.host} are not passed on (intercept.push); push without this proxy`;
  return failureReply(new RegistryError('DENIED', message, { origin: 'operator' }), request, { label: undefined });
}

async function note(
  { status }: Reply,
  { method }: Request,
  meant: BeyondRoute | undefined,
  beyond: Beyond,
): Promise<void> {
  const changed = (method === 'PUT' && status === 201) || (method === 'DELETE' && status === 202);
  if (changed && meant?.kind === 'manifest' && isTag(meant.text)) await beyond.moved(meant.key, meant.text);
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
