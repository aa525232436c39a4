import { dirname, join } from 'node:path';
import { createAccess } from './access/access.ts';
import type { Access, AccessOptions } from './access/access.ts';
import { ClientRights } from './access/client-rights.ts';
import { refusalOf } from './access/rules.ts';
import { createAdoption } from './adopt/adoption.ts';
import type { Adoption } from './adopt/adoption.ts';
import { collectLines } from './admin/collect.ts';
import type { CollectRequest } from './admin/collect.ts';
import type { CollectLine } from './admin/views.ts';
import { createBcrypt } from './access/bcrypt.ts';
import { createLogins } from './access/logins.ts';
import type { Logins } from './access/logins.ts';
import { openTokenKey } from './access/token-key.ts';
import { createCache } from './cache/cache.ts';
import { fateOf, thisProcess } from './cache/holder.ts';
import type { Holder } from './cache/holder.ts';
import type { KeeperLimits } from './cache/keeper.ts';
import { policyOf } from './cache/policies.ts';
import { openCertificates } from './certificates/certificates.ts';
import type { Certificates } from './certificates/certificates.ts';
import { createCollect } from './collect/collect.ts';
import type { CollectRules } from './collect/contract.ts';
import type { Config, SizeLimit } from './config/config.ts';
import type { Loaded } from './config/load.ts';
import { assertCovered } from './hosted/covered.ts';
import { createHealth } from './health/health.ts';
import { createHosted } from './hosted/hosted.ts';
import { createNotify } from './notify/notify.ts';
import { LinkWriter } from './hosted/link-writer.ts';
import type { Index } from './index/contract.ts';
import { openSqliteIndex } from './index/sqlite/index.ts';
import { inspectSqliteIndex } from './index/sqlite/inspect.ts';
import { setAsideSqliteIndex } from './index/sqlite/set-aside.ts';
import type { Clock } from './observe/clock.ts';
import type { Observer } from './observe/events.ts';
import { version } from './observe/version.ts';
import type { Digest } from './oci/digest.ts';
import type { RepositoryName } from './oci/reference.ts';
import type { Asker, RepositoryKey } from './oci/repository.ts';
import { fullNamesOf } from './registry/place.ts';
import { Settings, sourceOf } from './settings.ts';
import type { BlobStore } from './store/blob-store.ts';
import { openFilesystemStore } from './store/filesystem/store.ts';
import { createMemoryStore } from './store/memory/store.ts';
import { offline } from './upstream/offline.ts';
import { createPlainRequests } from './upstream/plain-request.ts';
import { createServices } from './upstream/services.ts';
import { createUpstreams } from './upstream/upstreams.ts';

export interface Around {
  readonly observer: Observer;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What requests of ours are known by, should they come back to us (RFC 9110, 7.6.3). */
  readonly mark?: string;
}

/** Of a server. */
export type Rooms = Awaited<ReturnType<typeof furnish>> & { readonly certificates: Certificates };

/** Everything that is no listener, from the ground up; the scope takes it down again in the opposite order. */
export async function furnish(scope: AsyncDisposableStack, settings: Settings, around: Around) {
  const { config } = settings;
  const store = scope.use(await openStore(config));
  const index = scope.use(await openIndex(config));
  const table = createUpstreams({
    ...around,
    upstreams: config.upstreams,
    version,
    learned: (host) => settings.findLearned(host),
  });
  scope.defer(() => table.close());
  const upstreams = config.cache.offline ? offline(table) : table;
  const ground = { ...around, store, index, upstreams };
  const rights = new ClientRights({ ...ground, windows: () => settings.config.intercept ?? noWindows });
  const access = createAccess({ ...ground, ...rulersOf(settings), rights });
  const processes = amongProcesses();
  const links = scope.use(new LinkWriter({ ...ground, ...processes }));
  const drain = (only?: RepositoryKey): Promise<boolean> => links.drain(only);
  const adoption = scope.use(createAdoption({ ...ground, ...processes, ...access, drain, keyOf: ownerOf(settings) }));
  const limits = await limitsOf(config, store, index, adoption);
  const { everyMs } = config.collect;
  const rulesOfCollection = (): CollectRules => settings.collectRules(adoption);
  const collect = scope.use(
    createCollect({ ...ground, ...processes, everyMs, rules: rulesOfCollection, random: Math.random }),
  );
  const cache = scope.use(
    createCache({
      ...ground,
      ...access,
      limits,
      dispose: (digests) => collect.dispose(digests),
      mayEvict: () => rulesOfCollection().notNow === undefined,
      policy: (name) => policyOf(settings.upstream(name)),
    }),
  );
  const { mayMount, mayRead } = admission(access, settings);
  const rules = { rules: () => settings.rules, uploads: () => settings.config.hosted.uploads };
  const services = scope.use(createServices(around.clock, around.env));
  const told = { config: () => settings.config.notifications, source: sourceOf(config), services };
  const notify = scope.use(createNotify({ ...ground, ...processes, ...told }));
  const health = scope.use(createHealth({ ...ground, services, config: () => settings.config.health }));
  const noticesOf = notify.noticesOf.bind(notify);
  const hosted = scope.use(createHosted({ ...ground, ...processes, ...rules, mayRead, mayMount, noticesOf }));
  const logins = await openLogins(scope, settings, around);
  await assertCovered(index, (name) => settings.routing.isHosted(name));
  await index.pins.configure(config.cache.pins);
  adoption.begin();
  const base = { store, index, table, upstreams, rights };
  return { ...base, access, adoption, cache, collect, hosted, notify, health, logins };
}

/** What the operator says of who may see and do what, asked anew each time. */
function rulersOf(settings: Settings): Pick<AccessOptions, 'exposure' | 'may'> {
  return {
    exposure: (name) => settings.upstream(name).exposure,
    may: (...question) => settings.permissions.may(...question),
  };
}

async function openLogins(
  scope: AsyncDisposableStack,
  settings: Settings,
  { clock, observer }: Around,
): Promise<Logins> {
  const { index } = settings.config;
  const bcrypt = scope.use(createBcrypt());
  return createLogins({
    clock,
    observer,
    auth: () => settings.config.auth,
    files: () => settings.loaded.authFiles,
    may: (...question) => settings.permissions.may(...question),
    namesOf: (name, action) => fullNamesOf(name, action, settings.routing),
    compare: (...question) => bcrypt.compare(...question),
    tokenKey: await openTokenKey(index.kind === 'sqlite' ? join(dirname(index.path), 'token.key') : undefined),
  });
}

/** Where no server is at it. */
export async function* collectAlone(
  loaded: Loaded,
  request: CollectRequest,
  around: Around,
): AsyncGenerator<CollectLine> {
  await using scope = new AsyncDisposableStack();
  const settings = new Settings(loaded);
  const { store, index, adoption } = await furnish(scope, settings, around);
  await adoption.finished();
  const rules = (): CollectRules => settings.collectRules(adoption);
  const options = { ...around, ...amongProcesses(), store, index, everyMs: Infinity, random: Math.random };
  const collect = scope.use(createCollect({ ...options, alone: true, rules }));
  yield* collectLines(collect, request);
}

/** Which process this is, and which of the others have ended. */
function amongProcesses(): { readonly holder: Holder; readonly isGone: (holder: string) => boolean } {
  return { holder: thisProcess(), isGone: (holder) => fateOf(holder) !== 'unknown' };
}

/** Whose the links of the volume are: in a cache of one upstream everything is that upstream's. */
function ownerOf(settings: Settings): (name: RepositoryName) => RepositoryKey | undefined {
  return (name) => {
    const { routing } = settings;
    const { mode, defaultUpstream } = routing;
    if (mode === 'registry-proxy') return defaultUpstream && { upstream: defaultUpstream.name, name };
    return mode === 'registry' || routing.isHosted(name) ? { upstream: undefined, name } : undefined;
  };
}

/** Who may take something over, and read what is hosted. */
function admission(access: Access, settings: Settings) {
  const isRefused = ({ upstream, ...key }: RepositoryKey): boolean =>
    upstream !== undefined && refusalOf(settings.upstream(upstream), { upstream, ...key }) !== undefined;
  return {
    mayMount: async (asker: Asker, key: RepositoryKey, digest: Digest): Promise<boolean> =>
      !isRefused(key) && (await access.mayMount(asker, key, digest)),
    mayRead: (asker: Asker, key: RepositoryKey): Promise<unknown> => access.mayRead(asker, key, { object: 'list' }),
  };
}

/** With who we are to clients; nobody but a server that listens has to be anybody. */
export async function furnishServer(scope: AsyncDisposableStack, settings: Settings, around: Around): Promise<Rooms> {
  const rooms = await furnish(scope, settings, around);
  const { config } = settings;
  const { caPath } = config.http.tls?.acme ?? {};
  const { send } = scope.use(createPlainRequests({ version, caPath, environment: around.env, clock: around.clock }));
  const intercepts = config.intercept !== undefined;
  return { ...rooms, certificates: scope.use(await openCertificates({ ...around, config, intercepts, send })) };
}

/** Without the proxy nobody comes with credentials of an upstream's. */
const noWindows = { proofMs: 0, outageMs: 0 };

/** Has the rooms take what can change while the server runs; `refuse` is told what they could not. */
export function reconfigure(rooms: Rooms, { config }: Loaded, refuse: (error: unknown) => void): void {
  rooms.table.reconfigure(config.upstreams);
  rooms.index.pins.configure(config.cache.pins).catch(refuse);
  rooms.notify.begin().catch(refuse);
  rooms.health.begin().catch(refuse);
  rooms.certificates.reload().catch(refuse);
}

export async function openStore({ storage }: Config): Promise<BlobStore> {
  if (storage.driver === 'filesystem') return openFilesystemStore({ root: storage.rootDirectory });
  return createMemoryStore({ bytesMax: memoryStoreBytesMax });
}

/** `storage: inmemory` is for trying things out, in bytes. */
const memoryStoreBytesMax = 1024 ** 3;

export async function openIndex({ index }: Config): Promise<Index> {
  return openSqliteIndex({ path: index.kind === 'sqlite' ? index.path : ':memory:' });
}

/** @throws RegistryError when a start would not take the index that is there */
export function inspectIndex({ path }: { readonly path: string }): void {
  inspectSqliteIndex(path);
}

/** @returns where the index has been moved, or would be */
export function setAsideIndex({ path }: { readonly path: string }, how: 'move' | 'only look'): string | undefined {
  return setAsideSqliteIndex(path, how === 'move');
}

async function limitsOf(config: Config, store: BlobStore, index: Index, adoption: Adoption): Promise<KeeperLimits> {
  const { size, diskFree, unusedMs } = config.cache;
  let sizeBytesMax = await sizeLimitOf(size, store, index);
  // What was found in the volume is held from then on, too.
  const again = adoption.finished().then(async () => (sizeBytesMax = await sizeLimitOf(size, store, index)));
  again.catch(() => {});
  return {
    get sizeBytesMax() {
      return sizeBytesMax;
    },
    freeBytesMin: (total) => bytesOf(diskFree, total),
    unusedMsMax: unusedMs,
  };
}

async function sizeLimitOf(size: Config['cache']['size'], store: BlobStore, index: Index): Promise<number> {
  const { freeBytes, totalBytes } = await store.capacity();
  if (size.kind !== 'free-at-first-start') return bytesOf(size, totalBytes);
  // What is held already was free at the first start.
  return ((freeBytes + (await index.keeping.cachedBytes())) * size.percent) / 100;
}

function bytesOf(limit: SizeLimit, totalBytes: number): number {
  return limit.kind === 'bytes' ? limit.sizeBytes : (totalBytes * limit.percent) / 100;
}
