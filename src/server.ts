import { hostname } from 'node:os';
import { createAccess } from './access/access.ts';
import { refusalOf } from './access/rules.ts';
import { createAdmin } from './admin/admin.ts';
import { createDebug } from './admin/debug.ts';
import { prepareSocket, protectSocket } from './admin/socket.ts';
import { BufferPool } from './bytes/buffer-pool.ts';
import { createCache } from './cache/cache.ts';
import { policyOf } from './cache/policies.ts';
import type { KeeperLimits } from './cache/keeper.ts';
import type { Config, SizeLimit, UpstreamConfig } from './config/config.ts';
import { explain } from './config/explain.ts';
import { loadConfig } from './config/load.ts';
import type { Loaded } from './config/load.ts';
import { upstreamLookup } from './config/upstream-lookup.ts';
import { globMatcher } from './config/value/glob.ts';
import { watchConfig } from './config/watch.ts';
import { createListener } from './http/listener.ts';
import type { Listener } from './http/listener.ts';
import type { Handler } from './http/message.ts';
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
import type { Ask, Page, PageRequest, RepositoryKey } from './oci/repository.ts';
import { failureReply } from './registry/failure.ts';
import { createRegistry } from './registry/registry.ts';
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
  let inForce = options.loaded;
  const { config } = inForce;
  const metrics = createMetrics({ version, droppedLines: () => log.droppedLines() });
  const observer = fanOut(log, metrics);
  const store = scope.use(await openStore(config));
  const index = scope.use(await openIndex(config));
  const table = createUpstreams({ upstreams: config.upstreams, observer, clock, env, version });
  scope.defer(() => table.close());
  const upstreams = config.cache.offline ? offline(table) : table;
  let lookup = upstreamLookup(config.upstreams);
  const access = createAccess({
    index,
    upstreams,
    clock,
    exposure: (name) => lookup(name)?.exposure ?? 'authenticated',
  });
  const limits = await limitsOf(config, store, index);
  const policy = (name: string): ReturnType<typeof policyOf> => policyOf(known(lookup(name), name));
  const cache = scope.use(createCache({ store, index, upstreams, clock, observer, limits, policy, ...access }));
  for (const pin of config.cache.pins) await index.keeping.pin(pin);

  let routing = routingOf(config, lookup);
  const registry = createRegistry({
    routing: () => routing,
    repositories: (key) => (key.upstream === undefined ? undefined : cache.repository(key)),
    catalog: (page, ask) => catalogOf(index, page, (key) => mayList(access, key, ask)),
    judge: (key) =>
      key.upstream === undefined ? undefined : refusalOf(known(lookup(key.upstream), key.upstream), key),
  });
  const failure = (error: unknown, request: Parameters<Handler>[0]) =>
    failureReply(error, request, { label: undefined });
  const admin = createAdmin({
    ...{ version, index, cache, upstreams, store, clock, observer, metrics, failure },
    config: () => inForce.config,
    configRows: () => explain(inForce),
  });

  let accepting = true;
  const debug = createDebug({
    ...{ version, index, store, metrics, clock, prometheusPath: config.http.debug?.prometheusPath },
    accepting: () => accepting,
  });
  const doors = new Doors(observer, clock);
  scope.defer(() => doors.close(config.http.drainMs));
  const addresses = await doors.open(config, registry);
  await doors.openDebug(config, debug);
  const adminSocket = await doors.openAdmin(config, admin);
  if (config.mode !== 'registry') await cache.recover();

  const take = async (loadedAnew: Loaded): Promise<void> => {
    await table.reconfigure(loadedAnew.config.upstreams);
    inForce = loadedAnew;
    lookup = upstreamLookup(inForce.config.upstreams);
    routing = routingOf(inForce.config, lookup);
    await doors.reloadTls();
    observer.emit({ type: 'config.reloaded' });
  };
  const load = (): Promise<Loaded> => loadConfig({ path: config.file, env });
  const refuse = (error: unknown): void => observer.emit({ type: 'config.invalid', message: messageOf(error) });
  const watcher = scope.use(
    watchConfig(load, {
      ...{ initial: options.loaded, clock, onInvalid: refuse },
      onChange: (loadedAnew) => void take(loadedAnew).catch(refuse),
    }),
  );

  return {
    addresses,
    adminSocket,
    reload: () => watcher.reload(),
    stop: async (reason) => {
      accepting = false;
      observer.emit({ type: 'server.stopping', reason });
      await doors.close(config.http.drainMs);
      await scope.disposeAsync();
      observer.emit({ type: 'server.stopped' });
    },
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
  if (config.http.externalUrl !== undefined) own.add(new URL(config.http.externalUrl).host);
  return {
    mode: config.mode,
    defaultUpstream: config.defaultUpstream === undefined ? undefined : lookup(config.defaultUpstream),
    findUpstream: lookup,
    isHosted: globMatcher(config.hosted.names),
    isClaimed: () => false,
    isOwnName: (host) => own.has(host),
  };
}

function ownNames(host: string | undefined, port: number): readonly string[] {
  const names = [host ?? hostname(), 'localhost', '127.0.0.1', '[::1]'];
  return names.map((name) => `${name.toLowerCase()}:${port}`);
}

/** What the asker may pull of what is held. A listing asks no upstream: what is not known to be public is not shown. */
async function catalogOf(
  index: Index,
  page: PageRequest,
  mayRead: (key: RepositoryKey) => Promise<boolean>,
): Promise<Page<string>> {
  const items: string[] = [];
  let { last } = page;
  for (;;) {
    const rows = await index.repositories.list({ limit: page.limit, last });
    for (const { key } of rows.items) {
      last = key.upstream === undefined ? key.name : `${key.upstream}/${key.name}`;
      if (await mayRead(key)) items.push(last);
      if (items.length === page.limit) return { items, next: last };
    }
    if (rows.next === undefined) return { items, next: undefined };
    last = rows.next;
  }
}

async function mayList(access: ReturnType<typeof createAccess>, key: RepositoryKey, { asker }: Ask): Promise<boolean> {
  return key.upstream === undefined || asker.kind === 'operator' || access.isPublic(key);
}

/** Every listener of ours, opened and closed together. */
class Doors {
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #pool = new BufferPool();
  readonly #open: Listener[] = [];

  constructor(observer: Observer, clock: Clock) {
    this.#observer = observer;
    this.#clock = clock;
  }

  async open({ http }: Config, handler: Handler): Promise<readonly string[]> {
    const tls = http.tls && {
      certificate: { path: http.tls.certificatePath },
      key: { path: http.tls.keyPath },
      minimumVersion: http.tls.minimumVersion,
    };
    const addresses: string[] = [];
    for (const wanted of http.listen) {
      const listener = this.#make(handler, { tls, trustedProxies: http.trustedProxies, headers: http.headers });
      const { port } = await listener.listen(wanted);
      const address = `${tls === undefined ? 'http' : 'https'}://${wanted.host ?? hostname()}:${port}`;
      this.#observer.emit({ type: 'server.listening', address, tls: tls !== undefined });
      addresses.push(address);
    }
    return addresses;
  }

  async openDebug({ http }: Config, handler: Handler): Promise<void> {
    if (http.debug === undefined) return;
    try {
      await this.#make(handler, {}).listen(http.debug.listen);
    } catch (error) {
      if (http.debug.required) throw error;
      this.#observer.emit({ type: 'config.notice', message: `no metrics and health: ${messageOf(error)}` });
    }
  }

  async openAdmin({ admin }: Config, handler: Handler): Promise<string> {
    if (admin.socket === undefined) return '';
    await prepareSocket(admin.socket);
    await this.#make(handler, {}).listenAt(admin.socket);
    await protectSocket(admin.socket);
    return admin.socket;
  }

  async reloadTls(): Promise<void> {
    await Promise.all(this.#open.map((listener) => listener.reloadTls()));
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all(this.#open.splice(0).map((listener) => listener.close(drainMs)));
  }

  #make(handler: Handler, more: Partial<Parameters<typeof createListener>[0]>): Listener {
    const listener = createListener({
      ...{ handler, observer: this.#observer, clock: this.#clock, pool: this.#pool },
      ...more,
    });
    this.#open.push(listener);
    return listener;
  }
}

function known(config: UpstreamConfig | undefined, name: string): UpstreamConfig {
  if (config !== undefined) return config;
  throw new RegistryError('UPSTREAM_UNKNOWN', `no upstream is called "${name}"; name it under "upstreams"`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
