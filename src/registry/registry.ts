import type { ListsConfig } from '../config/config.ts';
import type { Guest, Handler, Reply, Request } from '../http/message.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Reference } from '../oci/reference.ts';
import type { UploadId } from '../oci/upload.ts';
import { fullName, isWritable } from '../oci/repository.ts';
import type { Ask, Asker, Presented, Repository, RepositoryKey } from '../oci/repository.ts';
import {
  actionOf,
  admit,
  admitBeyond,
  admitToCatalog,
  admitToPing,
  assertBelieved,
  challengeFor,
  isMirrorOf,
} from './admission.ts';
import type { AdmissionOptions } from './admission.ts';
import { answerFor, meantBeyond } from './beyond.ts';
import type { Beyond } from './beyond.ts';
import { getBlob } from './blobs.ts';
import { listCatalog } from './catalog.ts';
import type { Catalog } from './catalog.ts';
import type { Asked, AskedToWrite } from './content.ts';
import { failureReply } from './failure.ts';
import { getManifest } from './manifests.ts';
import { optionsReply, pingReply, rootReply } from './ping.ts';
import { pullOf, sentRequest } from './news.ts';
import type { News } from './news.ts';
import { isOwn, repositoryNamed } from './place.ts';
import { deleteBlob, deleteManifest, putManifest } from './pushes.ts';
import { listReferrers } from './referrers.ts';
import { RouteMemo } from './route-memo.ts';
import type { Found } from './route-memo.ts';
import { route } from './route.ts';
import type { ContentRoute, Route, RouteFailure, RoutingTable } from './route.ts';
import { listTags } from './tags.ts';
import { appendToUpload, cancelUpload, finishUpload, startUpload, tellUpload } from './uploads.ts';

export interface RegistryOptions {
  readonly admission: AdmissionOptions;
  /** Asked anew for every request, so that a reload takes effect at once. */
  readonly routing: () => RoutingTable;
  /**
   * A repository of an upstream, or a hosted one, once all that is kept of it is known; `undefined` when nobody hosts it.
   */
  readonly repositories: (key: RepositoryKey) => Promise<Repository | undefined>;
  readonly catalog: Catalog;
  /** How long the pages of lists are. */
  readonly lists: () => ListsConfig;
  /** The operator's allow and deny rules, before anything else is done with a request: the error to refuse it with. */
  readonly judge: (key: RepositoryKey, reference: Reference | undefined) => RegistryError | undefined;
  /** Whether anybody has pushed that name, ever. Asked before Docker Hub's repository is lent for it. */
  readonly isClaimed: (name: string) => Promise<boolean>;
  /** Where requests lead; shared with whoever wants to know it before. */
  readonly routes?: RouteMemo;
  /** For requests that are to another registry by the way they came; `undefined` where none are passed on. */
  readonly beyond?: Beyond | undefined;
  /** The URL that clients use for this server, without a trailing slash, where links are to begin with it; else empty. */
  readonly origin: () => string;
  /** `undefined` while nobody wants to hear of what happens. */
  readonly news?: () => News | undefined;
}

/** The OCI Distribution API over repositories that may be anything: cached, hosted, in memory. */
export function createRegistry(options: RegistryOptions): Handler {
  const { routes = new RouteMemo() } = options;
  return (request) => {
    const table = options.routing();
    const known = routes.find(request, table);
    return repeated(options, request, table, known) ?? answerTo(options, request, table, known);
  };
}

/** For whoever has nothing to show for himself. */
const anybody: Asker = { kind: 'anonymous' };

/** What was answered before, at once, while the rules let the asker have it; `undefined` when there is more to look at. */
function repeated(options: RegistryOptions, request: Request, table: RoutingTable, known: Found): Reply | undefined {
  const { route: target, repeat } = known;
  if (repeat === undefined || !('key' in target) || target.lent) return undefined;
  const asker = askerAtOnce(options, request, table);
  if (asker === undefined || options.news?.() !== undefined || isRefused(options, target)) return undefined;
  const reply = repeat.reply(request, asker);
  if (reply === undefined) return undefined;
  note(request, target);
  request.notes.user = asker.kind === 'user' ? asker.name : undefined;
  request.notes.outcome = 'hit';
  return reply;
}

/** Who can be told without looking at anything; who goes through to another registry shows what he shows to that one. */
function askerAtOnce({ beyond }: RegistryOptions, request: Request, table: RoutingTable): Asker | undefined {
  const { via, headers, clientCertificate } = request;
  if (via === undefined) {
    return headers['authorization'] === undefined && clientCertificate === undefined ? anybody : undefined;
  }
  return beyond === undefined || isOwn(via.host, table) ? undefined : guestOf(via.guest, beyond.presented(request));
}

function isRefused({ judge }: RegistryOptions, target: ContentRoute): boolean {
  try {
    return judge(target.key, referenceOf(target)) !== undefined;
  } catch {
    // It will be thrown again where it becomes an answer.
    return true;
  }
}

async function answerTo(options: RegistryOptions, request: Request, table: RoutingTable, known: Found): Promise<Reply> {
  let found = known.route;
  const { via } = request;
  const beyond = via === undefined || isOwn(via.host, table) ? undefined : options.beyond;
  let asker = guestOf(via?.guest, beyond?.presented(request));
  try {
    if (beyond === undefined && isGuarded(found)) asker = await options.admission.identify(request);
    request.notes.user = asker.kind === 'user' ? asker.name : undefined;
    if (options.admission.isClosed() || !isMirrorOf(options.admission, request, found)) assertBelieved(asker);
    if ('lent' in found && found.lent && (await options.isClaimed(found.askedName))) {
      found = route(request.method, request.url, via?.host, { ...table, isClaimed: () => true });
    }
    const visit = { options, request, asker, known };
    if (via === undefined || beyond === undefined) return await answer(visit, found);
    const meant = meantBeyond(request, via, found, table);
    admitBeyond(options.admission, asker, request, meant?.key);
    const refusal = meant && options.judge(meant.key, undefined);
    if (refusal !== undefined) throw refusal;
    const mayMount = (from: RepositoryKey): boolean =>
      options.admission.may(asker, 'pull', fullName(from)) && options.judge(from, undefined) === undefined;
    return await answerFor(via, request, found, { beyond, meant, mayMount, answer: () => answer(visit, found) });
  } catch (error) {
    // Through a tunnel, what answers a challenge is meant for the registry at its end.
    const isChallenged = beyond === undefined && error instanceof RegistryError && error.code === 'UNAUTHORIZED';
    const challenge = isChallenged ? challengeFor(options.admission, request, found, asker) : undefined;
    const shown = lentInVain(error, request, found) ?? error;
    return failureReply(shown, request, { label: labelOf(found), challenge });
  }
}

/**
 * Who pushes a name for the first time looks for its manifest before (crane, oras), and would give up at anything but "not
 * there": that Docker Hub is away is no reason. Its answer has no body to say more, and the log still has the reason.
 */
function lentInVain(error: unknown, request: Request, found: Route | RouteFailure): RegistryError | undefined {
  const lent = 'lent' in found && found.lent && request.method === 'HEAD';
  if (!lent || !(error instanceof RegistryError) || error.origin !== 'upstream') return undefined;
  return new RegistryError('MANIFEST_UNKNOWN', error.message, { origin: 'upstream', cause: error });
}

/** A request, and who sent it. */
interface Visit {
  readonly options: RegistryOptions;
  readonly request: Request;
  readonly asker: Asker;
  readonly known: Found;
}

async function answer(visit: Visit, found: Route | RouteFailure): Promise<Reply> {
  const { options, request } = visit;
  switch (found.kind) {
    case 'failure':
      if (request.method === 'OPTIONS' && found.allow !== undefined) return optionsReply(found.allow);
      return failureReply(found.error, request, { label: undefined, allow: found.allow });
    case 'root':
      return rootReply;
    case 'ping':
      if (mustLogIn(visit, found)) admitToPing(visit.asker);
      return pingReply;
    case 'catalog': {
      const asker = admitToCatalog(options.admission, visit.asker);
      return await listCatalog(options.catalog, found, options.lists().catalog, askOf({ ...visit, asker }));
    }
    case 'tags':
      return await listTags(await open(visit, found), options.lists().tags);
    case 'referrers':
      return await listReferrers(await open(visit, found), found.digest);
    case 'manifest':
      if (request.method === 'PUT') return await putManifest(await openToWrite(visit, found), found.reference);
      if (request.method === 'DELETE') return await deleteManifest(await openToWrite(visit, found), found.reference);
      return await pulled(options, found, await open(visit, found), (asked) =>
        getManifest(asked, found.reference, visit.known),
      );
    case 'blob':
      if (request.method === 'DELETE') return await deleteBlob(await openToWrite(visit, found), found.digest);
      return await pulled(options, found, await open(visit, found), (asked) => getBlob(asked, found.digest));
    case 'uploads':
      return await startUpload(await openToWrite(visit, found), (name) => repositoryNamed(name, options.routing()));
    case 'upload':
      return await answerUpload(await openToWrite(visit, found), found.id);
  }
}

async function pulled(
  options: RegistryOptions,
  target: ContentRoute,
  asked: Asked,
  get: (asked: Asked) => Promise<Reply>,
): Promise<Reply> {
  const reply = await get(asked);
  const news = options.news?.();
  const change = news === undefined ? undefined : pullOf(reply, target);
  if (change !== undefined) await news?.pulled(target.key, change, asked.ask);
  return reply;
}

/** Whoever goes through here to another registry: a user of ours only where the proxy has asked him. */
function guestOf(guest: Guest | undefined, presents: Presented | undefined): Asker {
  return guest === undefined ? { kind: 'anonymous', presents } : { kind: 'user', ...guest, presents };
}

/** People and load balancers look at `/`; what leads nowhere says so to anybody. */
function isGuarded({ kind }: Route | RouteFailure): boolean {
  return kind !== 'root' && kind !== 'failure';
}

/** Where nobody can log in, nobody is asked to. */
function mustLogIn({ options, request, asker }: Visit, found: Route): boolean {
  return challengeFor(options.admission, request, found, asker) !== undefined;
}

function answerUpload(asked: AskedToWrite, id: UploadId): Promise<Reply> {
  switch (asked.request.method) {
    case 'PATCH':
      return appendToUpload(asked, id);
    case 'PUT':
      return finishUpload(asked, id);
    case 'DELETE':
      return cancelUpload(asked, id);
    default:
      return tellUpload(asked, id);
  }
}

async function openToWrite(visit: Visit, target: ContentRoute): Promise<AskedToWrite> {
  const asked = await open(visit, target);
  const { repository } = asked;
  if (!isWritable(repository)) {
    throw new RegistryError('DENIED', `${repository.label} cannot be written to; push to another name`);
  }
  return { ...asked, repository };
}

/** @throws RegistryError when the operator's rules refuse it, or nobody has such a repository */
async function open(visit: Visit, target: ContentRoute): Promise<Asked> {
  const { options, request, asker } = visit;
  const { key } = target;
  const reference = referenceOf(target);
  note(request, target);
  admit(options.admission, asker, actionOf(request.method, target), target);
  const refusal = options.judge(key, reference);
  if (refusal !== undefined) throw refusal;
  const repository = await options.repositories(key);
  if (repository === undefined) {
    throw new RegistryError('NAME_UNKNOWN', `${key.name} is a name hosted here, and nobody has pushed it`);
  }
  const news = options.news?.();
  const ask = { ...askOf(visit), ...(news === undefined ? {} : { sent: sentRequest(request, target, news) }) };
  return { request, target, repository, ask, origin: options.origin() };
}

function note({ notes, via }: Request, target: ContentRoute): void {
  const { key, door } = target;
  notes.upstream = key.upstream;
  notes.repository = key.name;
  notes.reference = referenceOf(target);
  notes.door = door === 'name' ? via?.kind : door;
}

function askOf({ request, asker }: Visit): Ask {
  const control = request.headers['cache-control'];
  return {
    asker,
    revalidate: control !== undefined && /(?:^|[\s,])no-cache(?:$|[\s,=])/i.test(control),
    requestId: request.id,
  };
}

function referenceOf(target: ContentRoute): Reference | undefined {
  if (target.kind === 'manifest') return target.reference;
  return 'digest' in target ? target.digest : undefined;
}

function labelOf(found: Route | RouteFailure): string | undefined {
  if (!('key' in found)) return undefined;
  return fullName(found.key);
}
