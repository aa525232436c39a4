import { randomBytes } from 'node:crypto';
import { challengeOf } from './access/challenge.ts';
import type { Logins } from './access/logins.ts';
import { provideUsers } from './access/new-htpasswd.ts';
import { refusalOf } from './access/rules.ts';
import { isClaimed, isPushed } from './adopt/pushed.ts';
import { createAdmin } from './admin/admin.ts';
import type { FindRepository } from './admin/locate.ts';
import { withRemoteAdmin } from './admin/remote.ts';
import { createDebug } from './admin/debug.ts';
import { createLobby } from './admin/lobby.ts';
import { createClientLobby } from './clients/lobby.ts';
import { isProbeName } from './clients/probe/probe-image.ts';
import { probeRepository } from './clients/probe/probe-repository.ts';
import { Sightings } from './clients/probe/sightings.ts';
import { explain } from './config/explain.ts';
import { loadConfig } from './config/load.ts';
import type { Loaded } from './config/load.ts';
import { restartNotice } from './config/restart.ts';
import { watchConfig } from './config/watch.ts';
import { Doors } from './doors.ts';
import type { Behind } from './doors.ts';
import { furnishServer, reconfigure } from './furnish.ts';
import type { Rooms } from './furnish.ts';
import type { Config } from './config/config.ts';
import type { Health } from './health/health.ts';
import type { Handler, Reply, Request, Lobby } from './http/message.ts';
import type { IsShort } from './http/short-way.ts';
import type { Index } from './index/contract.ts';
import type { RepositoryRow } from './index/repositories-contract.ts';
import { systemClock } from './observe/clock.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import type { Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import { fanOut } from './observe/observers.ts';
import { version } from './observe/version.ts';
import { messageOf, RegistryError } from './oci/errors.ts';
import { parseRepositoryName } from './oci/reference.ts';
import { fullName } from './oci/repository.ts';
import type { Asker, Page, PageRequest, RepositoryKey } from './oci/repository.ts';
import type { Notify } from './notify/notify.ts';
import type { AdmissionOptions } from './registry/admission.ts';
import type { News } from './registry/news.ts';
import { failureReply } from './registry/failure.ts';
import { isManifestUrl } from './registry/manifests.ts';
import { placeOfImage } from './registry/place-of-image.ts';
import { createRegistry } from './registry/registry.ts';
import { RouteMemo } from './registry/route-memo.ts';
import type { RegistryOptions } from './registry/registry.ts';
import { withTokenService } from './registry/token-service.ts';
import { newsOrigin, originOf, Settings } from './settings.ts';
import { transparentProxy } from './transparent.ts';
import type { TransparentProxy } from './transparent.ts';
import { loadUndici } from './upstream/undici.ts';

export interface ServerOptions {
  readonly loaded: Loaded;
  readonly log: Log;
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface RunningServer {
  /** Where it listens: `http://127.0.0.1:5000`. */
  readonly addresses: readonly string[];
  readonly adminSocket: string;
  /** Reads the configuration again; an invalid one changes nothing and is told in the log. */
  reload(): Promise<void>;
  /** Lets running requests end, for as long as `http.draintimeout` says, and leaves everything to be taken up again. */
  stop(reason: string): Promise<void>;
}

/** Puts the house together. Nothing is fetched before the port listens, and nothing needs the network to start. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { loaded, log, clock = systemClock, env = process.env } = options;
  const scope = new AsyncDisposableStack();
  try {
    return await start(scope, { loaded, log, clock, env });
  } catch (error) {
    await scope.disposeAsync();
    throw error;
  }
}

async function start(scope: AsyncDisposableStack, options: Required<ServerOptions>): Promise<RunningServer> {
  const { log, clock, env } = options;
  const metrics = createMetrics({ version, droppedLines: () => log.droppedLines() });
  metrics.know(options.loaded.config.upstreams);
  const sightings = new Sightings(clock);
  const observer = fanOut(log, metrics, sightings);
  const settings = new Settings(await withUsers(options.loaded, observer));
  const { config } = settings;
  const mark = `entrepot-${randomBytes(6).toString('hex')}`;
  const routes = new RouteMemo();
  const rooms = { ...(await furnishServer(scope, settings, { observer, clock, env, mark })), routes };
  let accepting = true;

  const proxy = transparentProxy({ ...rooms, observer, clock, env, settings, mark });
  const doors = new Doors(observer, clock, mark);
  scope.defer(() => doors.close(0));
  const told = { ...rooms, version, observer, metrics, clock, accepting: () => accepting };
  const failure = (error: unknown, request: Request, challenge?: string): Reply =>
    failureReply(error, request, { label: undefined, challenge });
  const rows = { config: () => settings.config, configRows: () => explain(settings.loaded) };
  const admin = createAdmin({ ...told, ...rows, findRepository: findRepositoryIn(rooms, settings), failure });
  const remote = { token: () => settings.loaded.authFiles.adminToken, clock, failure };
  const open = withRemoteAdmin(remote, admin, publicHandler(rooms, settings, proxy));
  const ours = behind(rooms, settings, { handler: open, lobby: lobbyOf(rooms, settings, sightings) }, proxy);
  const addresses = await doors.open(config.http, ours);
  await doors.openDebug(config.http, createDebug({ ...told, config: config.http.debug }));
  const adminSocket = await doors.openAdmin(config.admin, admin);
  for (const address of addresses) observer.emit({ type: 'server.listening', address, tls: ours.tls !== undefined });
  await beginWork(rooms, observer);

  const refuse = (error: unknown): void => observer.emit({ type: 'config.invalid', message: messageOf(error) });
  const onChange = (loaded: Loaded): void => {
    settings.take(loaded);
    metrics.know(loaded.config.upstreams);
    reconfigure(rooms, loaded, refuse);
    observer.emit({ type: 'config.reloaded' });
    const waiting = restartNotice(options.loaded, loaded);
    if (waiting !== undefined) observer.emit({ type: 'config.notice', message: waiting });
  };
  const load = (): Promise<Loaded> => loadConfig({ path: config.file, env, running: true });
  const watched = { initial: options.loaded, clock, onChange, onInvalid: refuse };
  const watcher = scope.use(watchConfig(load, watched));

  return {
    addresses,
    adminSocket,
    reload: () => watcher.reload(),
    stop: async (reason) => {
      accepting = false;
      // What is said must be true already for whoever reads it.
      const closed = doors.close(config.http.drainMs);
      observer.emit({ type: 'server.stopping', reason });
      await closed;
      await scope.disposeAsync();
      observer.emit({ type: 'server.stopped' });
    },
  };
}

/** What goes on beside the requests, from when the ports listen. */
async function beginWork({ notify, health, hosted, cache }: Rooms, observer: Observer): Promise<void> {
  await notify.begin();
  await health.begin();
  await hosted.tidy();
  await cache.recover().catch((error: unknown) => {
    observer.emit({
      type: 'task.failed',
      task: 'settling what an ended process left',
      message: messageOf(error),
    });
  });
  void loadUndici();
}

type House = Rooms & { readonly routes: RouteMemo };

/** What clients get to see. */
function behind(
  { certificates, routes }: House,
  settings: Settings,
  { handler, lobby }: Pick<Behind, 'handler' | 'lobby'>,
  proxy: TransparentProxy | undefined,
): Behind {
  const { interception, named = [] } = proxy ?? {};
  const isShort: IsShort = (url, via) => isManifestUrl(url, via, (asked) => routes.find(asked, settings.routing));
  return { handler, lobby, isShort, tls: certificates.tls, interception, named };
}

/** What a machine asks before it is a client of ours. */
function lobbyOf({ certificates }: Rooms, settings: Settings, sightings: Sightings): Lobby {
  const authorities = () => certificates.authorities;
  const ca = createLobby(certificates);
  const setup = createClientLobby({ config: () => settings.config, authorities, sightings });
  return (request) => ca(request) ?? setup(request);
}

/** With the file of users that a configuration for registry may leave to be made. */
async function withUsers(loaded: Loaded, observer: Observer): Promise<Loaded> {
  const { files, notice } = await provideUsers(loaded.config.auth, loaded.authFiles);
  if (notice !== undefined) observer.emit({ type: 'config.notice', message: notice });
  return { ...loaded, authFiles: files };
}

function publicHandler(rooms: House, settings: Settings, proxy: TransparentProxy | undefined): Handler {
  const { service } = rooms.logins;
  const isClosed = (): boolean => settings.permissions.isClosed;
  const realm = (): string => (settings.config.auth.kind === 'htpasswd' ? settings.config.auth.realm : '');
  const registry = createRegistry({ ...registryOf(rooms, settings), routes: rooms.routes, beyond: proxy?.beyond });
  return whileWell(
    rooms.health,
    withTokenService({ service, isClosed, realm, prefix: () => settings.config.http.prefix }, registry),
  );
}

function admissionOf(logins: Logins, settings: Settings): AdmissionOptions {
  return {
    identify: ({ headers, clientAddress, clientCertificate }) => {
      const { mode, auth } = settings.config;
      // To registry a certificate is a condition, beside which somebody still has to log in.
      const isUser = mode === 'entrepot' || auth.kind === 'none';
      const { names = [], groups = [] } = (isUser && clientCertificate) || {};
      const [name] = names;
      const certificate = name === undefined ? undefined : { name, groups };
      return logins.identify({ authorization: headers['authorization'], clientAddress, certificate });
    },
    may: (...question) => settings.permissions.may(...question),
    isClosed: () => settings.permissions.isClosed,
    challenge: (challenged) => challengeOf(settings.config.auth, settings.permissions.isClosed, challenged),
    externalUrl: () => settings.config.http.externalUrl ?? '',
    prefix: () => settings.config.http.prefix,
  };
}

function registryOf(
  { cache, hosted, index, access, notify, adoption, logins }: Rooms,
  settings: Settings,
): RegistryOptions {
  const judge = (key: RepositoryKey): RegistryError | undefined =>
    key.upstream === undefined || isProbeName(key.name) ? undefined : refusalOf(settings.upstream(key.upstream), key);
  const mayList = async (key: RepositoryKey, asker: Asker): Promise<boolean> =>
    (await access.mayList(asker, key)) && judge(key) === undefined;
  return {
    routing: () => settings.routing,
    repositories: async (key) => {
      const probe = probeRepository(key);
      if (probe !== undefined) return probe;
      if (key.upstream === undefined) return adoption.reconciled(hosted.repository(key));
      await adoption.look(key);
      return cache.repository(key);
    },
    isClaimed: (name) => isClaimed({ index, adoption }, parseRepositoryName(name)),
    origin: () => originOf(settings.config),
    lists: () => settings.config.lists,
    news: () => newsOf(notify, settings.config),
    catalog: (page, ask) => catalogOf(index, settings.config, page, (key) => mayList(key, ask.asker)),
    judge,
    admission: admissionOf(logins, settings),
  };
}

/** Which repository an image is of that an operator names; what the volume says of it is known then. */
function findRepositoryIn(rooms: Rooms, settings: Settings): FindRepository {
  const isKnown = (name: string): Promise<boolean> => isPushed(rooms, parseRepositoryName(name));
  return async (name) => {
    const { key } = await placeOfImage(name, settings.routing, isKnown);
    await rooms.adoption.look(key);
    return key;
  };
}

/** As registry does: while a check fails, a load balancer or an orchestrator is to send people elsewhere. */
function whileWell(health: Health, handler: Handler): Handler {
  const message =
    'a health check of this server fails, and it serves nothing until it is well again: see /debug/health';
  const refuse = async (request: Request): Promise<Reply> =>
    failureReply(new RegistryError('UNAVAILABLE', message), request, { label: undefined });
  return (request) => (health.isWell ? handler(request) : refuse(request));
}

function newsOf(notify: Notify, config: Config): News | undefined {
  if (config.notifications.endpoints.length === 0) return undefined;
  return {
    origin: (request) => newsOrigin(config, request),
    ownNames: config.mode !== 'entrepot',
    pulled: (key, change, ask) => notify.pulled(key, change, ask),
  };
}

/** What the asker may pull of what is held, by the names that clients say: in registry's modes without a registry in front. */
async function catalogOf(
  index: Index,
  { mode, defaultUpstream }: Config,
  page: PageRequest,
  mayList: (key: RepositoryKey) => Promise<boolean>,
): Promise<Page<string>> {
  const front = mode === 'registry-proxy' ? `${defaultUpstream}/` : '';
  const isHere = ({ upstream }: RepositoryKey): boolean => mode === 'entrepot' || upstream === defaultUpstream;
  const items: string[] = [];
  for (let last: string | undefined = front + (page.last ?? ''); ;) {
    const rows: Page<RepositoryRow> = await index.repositories.list({ limit: page.limit, last });
    for (const { key } of rows.items) {
      const name = fullName(key).slice(front.length);
      if (isHere(key) && (await mayList(key))) items.push(name);
      if (items.length === page.limit) return { items, next: name };
    }
    if (rows.next === undefined) return { items, next: undefined };
    last = rows.next;
  }
}
