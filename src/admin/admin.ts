import type { Adoption } from '../adopt/adoption.ts';
import type { Cache } from '../cache/contract.ts';
import type { Certificates } from '../certificates/certificates.ts';
import type { Collect } from '../collect/contract.ts';
import type { Config } from '../config/config.ts';
import type { Handler, Reply, Request } from '../http/message.ts';
import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Metrics } from '../observe/metrics.ts';
import { RegistryError } from '../oci/errors.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Upstream, Upstreams } from '../upstream/contract.ts';
import { authoritiesOf, renewAuthority } from './authorities.ts';
import { collectLines } from './collect.ts';
import { explain } from './explain.ts';
import { tellFailure, watched } from './failures.ts';
import { checkHealth } from './health.ts';
import { refuseHosted } from './hosted.ts';
import type { Unneeded } from './hosted.ts';
import { imagesPage, usage } from './images.ts';
import { locate, repositoryText } from './locate.ts';
import type { FindRepository, Located } from './locate.ts';
import { pin, pinsOf, unpin } from './pins.ts';
import { remoteBase } from './remote.ts';
import { pullLines } from './pull.ts';
import { queryOf } from './query.ts';
import type { Query } from './query.ts';
import { jsonReply, linesReply } from './reply.ts';
import type { ConfigRowView, DownloadViewJson, PurgeView, RefreshView, StatisticsView, UpstreamView } from './views.ts';

export interface AdminOptions {
  readonly version: string;
  readonly index: Index;
  readonly cache: Cache;
  readonly adoption: Pick<Adoption, 'progress'>;
  readonly collect: Collect;
  readonly upstreams: Upstreams;
  /** As the doors for clients have it. */
  readonly findRepository: FindRepository;
  readonly certificates: Certificates;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly metrics: Pick<Metrics, 'upstreamTotals'>;
  /** The configuration in force; it changes when it is read again. */
  readonly config: () => Config;
  readonly configRows: () => readonly ConfigRowView[];
  /** False from the moment the server drains. */
  readonly accepting: () => boolean;
  /** Turns what a handler threw into an answer: the one table of codes and statuses belongs to the registry. */
  readonly failure: (error: unknown, request: Request) => Reply;
}

/**
 * The admin API, for the unix socket: whoever may open that may do everything here. JSON in views.ts' shapes; requests
 * say everything in their path and query. A request that changes something is a POST.
 */
export function createAdmin(options: AdminOptions): Handler {
  const routes = routesOf(options, options.clock.now());
  return async (request) => {
    try {
      const { pathname, searchParams } = new URL(request.url, 'http://admin');
      const path = pathname.startsWith(`${remoteBase}/`) ? pathname.slice(remoteBase.length) : pathname;
      const route = routes[`${request.method} ${path}`];
      if (route === undefined) throw unknownRoute(request.method, path, routes);
      return await route(queryOf(searchParams), request);
    } catch (error) {
      tellFailure(options.observer, request, error);
      return options.failure(error, request);
    }
  };
}

type Route = (query: Query, request: Request) => Promise<Reply>;
type Routes = Readonly<Record<string, Route | undefined>>;

function routesOf(options: AdminOptions, startedAtMs: number): Routes {
  return {
    ...readingRoutes(options, startedAtMs),
    ...changingRoutes(options),
  };
}

function readingRoutes(options: AdminOptions, startedAtMs: number): Routes {
  const { index, cache, upstreams, config } = options;
  return {
    'GET /v1/statistics': async () => jsonReply(await statistics(options, startedAtMs)),
    'GET /v1/images': async (query) => jsonReply(await imagesPage(index, query)),
    'GET /v1/usage': async (query) => jsonReply(await usage(index, query)),
    'GET /v1/explain': async (query) => {
      const from = { index, cache, upstreams, config: config(), nowMs: options.clock.now() };
      return jsonReply(await explain(from, await located(options, query)));
    },
    'GET /v1/downloads': async () => jsonReply(downloads(cache)),
    'GET /v1/pins': async () => jsonReply(await pinsOf(index, config().cache.pins)),
    'GET /v1/upstreams': async () =>
      jsonReply(upstreams.list().map((upstream) => upstreamView(upstream, upstream.status()))),
    'GET /v1/authorities': async () => jsonReply(authoritiesOf(options.certificates.authorities)),
    'GET /v1/health': async () => jsonReply({ problems: await checkHealth(options) }),
    'GET /v1/config': async () => jsonReply(options.configRows()),
  };
}

function changingRoutes(options: AdminOptions): Routes {
  const { index, upstreams, findRepository, config } = options;
  const told = (action: string, target: string, { id }: Request): void =>
    options.observer.emit({ type: 'admin.acted', action, target, requestId: id });
  return {
    'POST /v1/pull': async (query, request) => {
      const image = await fetched('pull', options, query);
      told('pull', image.text, request);
      const wanted = { platforms: query.all('platform'), verify: query.optional('verify') === 'true' };
      const lines = pullLines(options.cache, image, wanted, request.id);
      return linesReply(watched(lines, options.observer, request));
    },
    'POST /v1/gc': async (query, request) => {
      const dryRun = query.optional('dryrun') === 'true';
      const untagged = query.optional('untagged') === 'true';
      if (!dryRun) told('gc', '', request);
      const lines = collectLines(options.collect, { dryRun, untagged });
      return linesReply(watched(lines, options.observer, request));
    },
    'POST /v1/pin': async (query, request) => {
      const done = await pin(index, findRepository, query.required('image'));
      told('pin', done.pattern, request);
      return jsonReply(done);
    },
    'POST /v1/unpin': async (query, request) => {
      const done = await unpin(index, findRepository, config().cache.pins, query.required('image'));
      told('unpin', done.pattern, request);
      return jsonReply(done);
    },
    'POST /v1/refresh': async (query, request) => {
      const image = await fetched('refresh', options, query);
      const done = await refresh(options.cache, image, request.id);
      told('refresh', done.image, request);
      return jsonReply(done);
    },
    'POST /v1/purge': async (query, request) => {
      const image = await fetched('purge', options, query);
      const whole = query.optional('whole') === 'true';
      const done = await purge(options.cache, image, whole);
      told('purge', done.image, request);
      return jsonReply(done);
    },
    'POST /v1/authorities/renew': async (query, request) => {
      const done = await renewAuthority(options.certificates, query);
      told('renew', `${done.kind} CA`, request);
      return jsonReply(done);
    },
    'POST /v1/upstreams/check': async (query) => {
      const upstream = knownUpstream(upstreams, query.required('name'));
      return jsonReply(upstreamView(upstream, await upstream.check()));
    },
  };
}

async function located({ findRepository }: AdminOptions, query: Query): Promise<Located> {
  return locate(findRepository, query.required('image'));
}

/** @throws RegistryError where it is hosted here */
async function fetched(what: Unneeded, options: AdminOptions, query: Query): Promise<Located> {
  const image = await located(options, query);
  refuseHosted(what, image);
  return image;
}

async function statistics(options: AdminOptions, startedAtMs: number): Promise<StatisticsView> {
  const { freeBytes } = await options.store.capacity();
  return {
    version: options.version,
    startedAtMs,
    ...(await options.index.repositories.statistics()),
    freeBytes: Number.isFinite(freeBytes) ? freeBytes : undefined,
    downloads: options.cache.downloads().length,
    adoption: options.adoption.progress,
    upstreams: await options.metrics.upstreamTotals(),
  };
}

function downloads(cache: Cache): readonly DownloadViewJson[] {
  return cache.downloads().map(({ key, ...rest }) => ({ repository: repositoryText(key), ...rest }));
}

async function refresh(cache: Cache, image: Located, requestId: string): Promise<RefreshView> {
  const { key, reference, text } = image;
  if (isDigestReference(reference)) {
    throw new RegistryError(
      'REQUEST_INVALID',
      'content by digest never changes, so there is nothing to refresh; name a tag',
    );
  }
  const answer = await cache.refresh(key, reference, { asker: { kind: 'operator' }, revalidate: true, requestId });
  return { image: text, found: answer !== undefined, digest: answer?.value.digest, outcome: answer?.outcome };
}

/** Without a tag or digest written down, only `whole` says that the whole repository is meant. */
async function purge(cache: Cache, image: Located, whole: boolean): Promise<PurgeView> {
  if (whole && image.explicit) {
    throw new RegistryError('REQUEST_INVALID', 'a whole repository is named without tag and digest');
  }
  if (!whole && !image.explicit) {
    throw new RegistryError(
      'REQUEST_INVALID',
      `${image.text.replace(/:latest$/, '')} names no tag; write the tag or digest, or say --whole for all of the repository`,
    );
  }
  const report = await cache.purge(image.key, whole ? undefined : image.reference);
  return { image: whole ? repositoryText(image.key) : image.text, ...report };
}

function knownUpstream(upstreams: Upstreams, name: string): Upstream {
  const upstream = upstreams.find(name);
  if (upstream !== undefined) return upstream;
  throw new RegistryError('UPSTREAM_UNKNOWN', `${name} is not a known registry; add it under upstreams`, {
    origin: 'operator',
  });
}

function upstreamView({ hasCredentials }: Upstream, status: ReturnType<Upstream['status']>): UpstreamView {
  return { ...status, hasCredentials };
}

function unknownRoute(method: string, pathname: string, routes: Routes): RegistryError {
  const known = Object.keys(routes).some((route) => route.endsWith(` ${pathname}`));
  return known
    ? new RegistryError('UNSUPPORTED', `${method} means nothing for ${pathname}`)
    : new RegistryError('NOT_FOUND', `the admin API has no ${pathname}`);
}
