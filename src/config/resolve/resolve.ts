import type { CacheConfig, CollectConfig, Config, Mode, UpstreamConfig } from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import type { KeyNode } from '../tree/keys.ts';
import type { Plain } from '../tree/plain.ts';
import { canonicalName } from '../builtin-upstreams.ts';
import { upstreamLookup } from '../upstream-lookup.ts';
import { canonicalPin } from '../value/pin.ts';
import { resolveHealth } from './health.ts';
import { resolveHosted, resolveLists } from './hosted.ts';
import { resolveAccess, resolveAuth } from './access.ts';
import { resolveHttp, resolveLog } from './http.ts';
import { resolveMode } from './mode.ts';
import { resolveNotifications } from './notifications.ts';
import { resolveIntercept } from './intercept.ts';
import { resolveRegistryProxy, type RegistryProxy } from './registry-proxy.ts';
import type { Resolving } from './resolving.ts';
import { readSections } from './sections.ts';
import { resolveAdmin, resolveIndex, resolveStorage } from './storage.ts';
import { resolveCertificates } from './tls.ts';
import { resolveUpstreams } from './upstreams.ts';

type PlainMap = Readonly<Record<string, Plain>>;

export interface FileToResolve {
  readonly file: string | undefined;
  readonly plain: PlainMap;
  readonly keys: KeyNode;
}

/** What the file and the environment say, put together with what they leave open. Problems are left in `resolving`. */
export function resolveConfig({ file, plain, keys }: FileToResolve, resolving: Resolving): Config {
  const sections = readSections(plain, keys, resolving);
  const table = resolveUpstreams(
    { given: (plain['upstreams'] ?? {}) as PlainMap, resolver: sections.intercept.resolver, keys },
    resolving,
  );
  const proxy = resolveRegistryProxy(sections.proxy, table, resolving);
  const mode = proxy === undefined ? resolveMode(file !== undefined, resolving) : 'registry-proxy';
  const storage = resolveStorage(sections.storage, mode, resolving);
  const http = resolveHttp(sections.http, { mode, hasFile: file !== undefined, storage }, resolving);
  const upstreams = upstreamsOf(mode, table, proxy);
  const auth = resolveAuth(sections.auth, mode, resolving);
  return {
    mode,
    file,
    log: resolveLog(sections.log, sections.loglevel, resolving),
    http,
    certificates: resolveCertificates(sections, storage, resolving),
    storage,
    index: resolveIndex(storage),
    hosted: resolveHosted(sections, mode, resolving),
    upstreams,
    defaultUpstream: defaultUpstreamOf(mode, sections, upstreams, resolving),
    cache: resolveCache(sections.cache, proxy, resolving),
    collect: resolveCollect(sections.collect),
    access: resolveAccess(sections, auth),
    auth,
    intercept: resolveIntercept(sections.intercept, { mode, auth }, resolving),
    admin: resolveAdmin(sections.admin, { storage, listen: http.listen }, resolving),
    lists: resolveLists(sections, mode, resolving),
    notifications: resolveNotifications(sections.notifications, resolving),
    health: resolveHealth(sections.health, storage, resolving),
  };
}

function upstreamsOf(
  mode: Mode,
  table: readonly UpstreamConfig[],
  proxy: RegistryProxy | undefined,
): readonly UpstreamConfig[] {
  if (proxy !== undefined) return [proxy.upstream];
  return mode === 'registry' ? [] : table;
}

function defaultUpstreamOf(
  mode: Mode,
  sections: Pick<FileConfig, 'defaultupstream'>,
  upstreams: readonly UpstreamConfig[],
  resolving: Resolving,
): string | undefined {
  if (mode === 'registry') return undefined;
  if (mode === 'registry-proxy') return upstreams[0]?.name;
  const name = canonicalName(sections.defaultupstream);
  if (upstreamLookup(upstreams)(name) === undefined) {
    resolving.problem(
      ['defaultupstream'],
      `${name} is not a known upstream; write upstreams.${name}.url, too, or the name of a known one`,
    );
  }
  return name;
}

function resolveCollect({ grace, untagged, every }: FileConfig['collect']): CollectConfig {
  return { graceMs: grace, untaggedMs: untagged, everyMs: every };
}

/** The share of what is free that the cache may take when nobody says. */
const freePercent = 80;

function resolveCache(cache: FileConfig['cache'], proxy: RegistryProxy | undefined, resolving: Resolving): CacheConfig {
  if (cache.size === undefined) resolving.derive('cache.size', `${freePercent} % of what is free at first start`);
  return {
    size: cache.size ?? { kind: 'free-at-first-start', percent: freePercent },
    diskFree: cache.diskfree,
    pins: cache.pins.map(canonicalPin),
    offline: cache.offline,
    unusedMs: proxy?.unusedMs ?? Number.POSITIVE_INFINITY,
  };
}
