import { hostname } from 'node:os';
import { createAccess } from './access/access.ts';
import { refusalOf } from './access/rules.ts';
import { createAdmin } from './admin/admin.ts';
import { createDebug } from './admin/debug.ts';
import { createCache } from './cache/cache.ts';
import { fateOf, thisProcess } from './cache/holder.ts';
import { policyOf } from './cache/policies.ts';
import type { KeeperLimits } from './cache/keeper.ts';
import type { Config, SizeLimit, UpstreamConfig } from './config/config.ts';
import { explain } from './config/explain.ts';
import { loadConfig } from './config/load.ts';
import type { Loaded } from './config/load.ts';
import { restartNotice } from './config/restart.ts';
import { upstreamLookup } from './config/upstream-lookup.ts';
import { urlHost } from './config/value/address.ts';
import { globMatcher } from './config/value/glob.ts';
import { upstreamName } from './config/value/upstream-name.ts';
import { watchConfig } from './config/watch.ts';
import { Doors } from './doors.ts';
import { createHosted } from './hosted/hosted.ts';
import type { HostedRules } from './hosted/context.ts';
import { assertCovered } from './hosted/covered.ts';
import type { Index } from './index/contract.ts';
import { openSqliteIndex } from './index/sqlite/index.ts';
import { systemClock } from './observe/clock.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import type { Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import { fanOut } from './observe/observers.ts';
import { version } from './observe/version.ts';
import { RegistryError } from './oci/errors.ts';
import type { Asker, Page, PageRequest, RepositoryKey } from './oci/repository.ts';
import { failureReply } from './registry/failure.ts';
import { createRegistry } from './registry/registry.ts';
import type { RegistryOptions } from './registry/registry.ts';
import type { RoutingTable } from './registry/route.ts';
import type { BlobStore } from './store/blob-store.ts';
import { openFilesystemStore } from './store/filesystem/store.ts';
import { createMemoryStore } from './store/memory/store.ts';
import { offline } from './upstream/offline.ts';
import { createUpstreams } from './upstream/upstreams.ts';

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
  const settings = new Settings(options.loaded);
  const { config } = settings;
  const metrics = createMetrics({ version, droppedLines: () => log.droppedLines() });
  const observer = fanOut(log, metrics);
  const rooms = await furnish(scope, settings, { observer, clock, env });
  let accepting = true;

  const doors = new Doors(observer, clock);
  scope.defer(() => doors.close(0));
  const addresses = await doors.open(config.http, createRegistry(registryOf(rooms, settings)));
  const { prometheusPath } = config.http.debug ?? {};
  const told = { ...rooms, version, observer, metrics, clock };
  await doors.openDebug(config.http, createDebug({ ...told, prometheusPath, accepting: () => accepting }));
  const adminSocket = await doors.openAdmin(
    config.admin,
    createAdmin({
      ...told,
      config: () => settings.config,
      configRows: () => explain(settings.loaded),
      failure: (error, request) => failureReply(error, request, { label: undefined }),
    }),
  );
  await rooms.hosted.tidy();
  await rooms.cache.recover().catch((error: unknown) => {
    observer.emit({ type: 'task.failed', task: 'settling what an ended process left', message: messageOf(error) });
  });

  const refuse = (error: unknown): void => observer.emit({ type: 'config.invalid', message: messageOf(error) });
  const onChange = (loaded: Loaded): void => {
    settings.take(loaded);
    rooms.table.reconfigure(loaded.config.upstreams);
    rooms.index.pins.configure(loaded.config.cache.pins).catch(refuse);
    doors.reloadTls().catch(refuse);
    observer.emit({ type: 'config.reloaded' });
    const waiting = restartNotice(options.loaded, loaded);
    if (waiting !== undefined) observer.emit({ type: 'config.notice', message: waiting });
  };
  const load = (): Promise<Loaded> => loadConfig({ path: config.file, env });
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

/** The configuration in force, ready to be asked for every request. */
class Settings {
  #loaded: Loaded;
  #lookup: (host: string) => UpstreamConfig | undefined;
  #routing: RoutingTable;
  #rules: HostedRules;

  constructor(loaded: Loaded) {
    this.#loaded = loaded;
    this.#lookup = upstreamLookup(loaded.config.upstreams);
    this.#routing = routingOf(loaded.config, this.#lookup);
    this.#rules = rulesOf(loaded.config);
  }

  get loaded(): Loaded {
    return this.#loaded;
  }

  get config(): Config {
    return this.#loaded.config;
  }

  get routing(): RoutingTable {
    return this.#routing;
  }

  /** For what is hosted. */
  get rules(): HostedRules {
    return this.#rules;
  }

  /** @throws RegistryError `UPSTREAM_UNKNOWN` */
  upstream(name: string): UpstreamConfig {
    const config = this.#lookup(name);
    if (config !== undefined) return config;
    throw new RegistryError('UPSTREAM_UNKNOWN', `no upstream is called "${name}"; name it under "upstreams"`);
  }

  take(loaded: Loaded): void {
    this.#loaded = loaded;
    this.#lookup = upstreamLookup(loaded.config.upstreams);
    this.#routing = routingOf(loaded.config, this.#lookup);
    this.#rules = rulesOf(loaded.config);
  }
}

type Rooms = Awaited<ReturnType<typeof furnish>>;

/** Everything that is no listener, from the ground up; the scope takes it down again in the opposite order. */
async function furnish(
  scope: AsyncDisposableStack,
  settings: Settings,
  around: { readonly observer: Observer; readonly clock: Clock; readonly env: NonNullable<ServerOptions['env']> },
) {
  const { config } = settings;
  const store = scope.use(await openStore(config));
  const index = scope.use(await openIndex(config));
  const table = createUpstreams({ ...around, upstreams: config.upstreams, version });
  scope.defer(() => table.close());
  const upstreams = config.cache.offline ? offline(table) : table;
  const ground = { ...around, store, index, upstreams };
  const access = createAccess({ ...ground, exposure: (name) => settings.upstream(name).exposure });
  const limits = await limitsOf(config, store, index);
  const cache = scope.use(
    createCache({ ...ground, ...access, limits, policy: (name) => policyOf(settings.upstream(name)) }),
  );
  const processes = { holder: thisProcess(), isGone: (holder: string) => fateOf(holder) !== 'unknown' };
  const mayMount = (asker: Asker, key: RepositoryKey): Promise<boolean> => access.mayList(asker, key);
  const hosted = scope.use(createHosted({ ...ground, ...access, ...processes, mayMount, rules: () => settings.rules }));
  await assertCovered(index, (name) => settings.routing.isHosted(name));
  await index.pins.configure(config.cache.pins);
  return { store, index, table, upstreams, access, cache, hosted };
}

function registryOf({ cache, hosted, index, access }: Rooms, settings: Settings): RegistryOptions {
  const judge = (key: RepositoryKey): RegistryError | undefined =>
    key.upstream === undefined ? undefined : refusalOf(settings.upstream(key.upstream), key);
  const mayList = async (key: RepositoryKey, asker: Asker): Promise<boolean> =>
    (await access.mayList(asker, key)) && judge(key) === undefined;
  return {
    routing: () => settings.routing,
    repositories: (key) => (key.upstream === undefined ? hosted.repository(key) : cache.repository(key)),
    isClaimed: (name) => index.claims.has(name),
    origin: () => originOf(settings.config),
    catalog: (page, ask) => catalogOf(index, page, (key) => mayList(key, ask.asker)),
    judge,
  };
}

async function openStore({ storage }: Config): Promise<BlobStore> {
  if (storage.driver === 'filesystem') return openFilesystemStore({ root: storage.rootDirectory });
  return createMemoryStore({ bytesMax: memoryStoreBytesMax });
}

/** `storage: inmemory` is for trying things out, in bytes. */
const memoryStoreBytesMax = 1024 ** 3;

async function openIndex({ index }: Config): Promise<Index> {
  return openSqliteIndex({ path: index.kind === 'sqlite' ? index.path : ':memory:' });
}

async function limitsOf({ cache }: Config, store: BlobStore, index: Index): Promise<KeeperLimits> {
  const { freeBytes, totalBytes } = await store.capacity();
  const { size, diskFree } = cache;
  // What is held already was free at the first start.
  const atFirstStart = freeBytes + (await index.keeping.heldBytes());
  const sizeBytesMax =
    size.kind === 'free-at-first-start' ? (atFirstStart * size.percent) / 100 : bytesOf(size, totalBytes);
  return { sizeBytesMax, freeBytesMin: (total) => bytesOf(diskFree, total), unusedMsMax: cache.unusedMs };
}

function bytesOf(limit: SizeLimit, totalBytes: number): number {
  return limit.kind === 'bytes' ? limit.sizeBytes : (totalBytes * limit.percent) / 100;
}

function routingOf(config: Config, lookup: (host: string) => UpstreamConfig | undefined): RoutingTable {
  const own = new Set(config.http.listen.flatMap(({ host, port }) => ownNames(host, port)));
  if (config.http.externalUrl !== undefined) own.add(upstreamName(new URL(config.http.externalUrl).host) ?? '');
  return {
    mode: config.mode,
    defaultUpstream: config.defaultUpstream === undefined ? undefined : lookup(config.defaultUpstream),
    findUpstream: lookup,
    isHosted: globMatcher(config.hosted.names),
    isClaimed: () => false,
    isOwnName: (host) => own.has(host),
  };
}

function rulesOf({ hosted }: Config): HostedRules {
  const { sparse, deletes, readOnly } = hosted;
  return { isImmutable: globMatcher(hosted.immutable), sparse, deletes, readOnly };
}

function originOf({ http }: Config): string {
  return http.relativeUrls ? '' : (http.externalUrl ?? '');
}

/** Spelled as lookups spell them. */
function ownNames(host: string | undefined, port: number): readonly string[] {
  const names = [urlHost(host ?? hostname()), 'localhost', '127.0.0.1', '[::1]'];
  return names.map((name) => upstreamName(`${name}:${port}`)).filter((name) => name !== undefined);
}

/** What the asker may pull of what is held. */
async function catalogOf(
  index: Index,
  page: PageRequest,
  mayList: (key: RepositoryKey) => Promise<boolean>,
): Promise<Page<string>> {
  const items: string[] = [];
  let { last } = page;
  for (;;) {
    const rows = await index.repositories.list({ limit: page.limit, last });
    for (const { key } of rows.items) {
      last = key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
      if (await mayList(key)) items.push(last);
      if (items.length === page.limit) return { items, next: last };
    }
    if (rows.next === undefined) return { items, next: undefined };
    last = rows.next;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
