import type { DebugConfig, HttpConfig, ListenAddress, LogConfig, Mode, StorageConfig } from '../config.ts';
import type { FileConfig } from '../schema/schema.ts';
import { socketPathBytesMax, type Resolving } from './resolving.ts';
import { resolveTls } from './tls.ts';

/** Where we listen when nobody says so. Without a file, nobody but this machine is meant. */
const everywhere: ListenAddress = { host: undefined, port: 5000 };
const onlyHere: ListenAddress = { host: '127.0.0.1', port: 5000 };
const debugHere: ListenAddress = { host: '127.0.0.1', port: 5001 };

export interface AroundHttp {
  readonly mode: Mode;
  readonly hasFile: boolean;
  readonly storage: StorageConfig;
}

export function resolveHttp(
  http: FileConfig['http'],
  { mode, hasFile, storage }: AroundHttp,
  resolving: Resolving,
): HttpConfig {
  const isOpen = hasFile || mode !== 'entrepot';
  if (http.addr === undefined) resolving.derive('http.addr', isOpen ? ':5000' : '127.0.0.1:5000');
  const { listen, sockets } = resolvePlaces(http, resolving);
  return {
    listen: http.addr === undefined ? [isOpen ? everywhere : onlyHere] : listen,
    sockets,
    prefix: http.prefix,
    headers: Object.entries(http.headers),
    tls: resolveTls(http.tls, { mode, storage }, resolving),
    debug: resolveDebug(http.debug, mode, resolving),
    trustedProxies: http.trustedproxies,
    drainMs: http.draintimeout,
    relativeUrls: http.relativeurls,
    externalUrl: http.host,
  };
}

function resolvePlaces(
  { addr = [], net }: FileConfig['http'],
  resolving: Resolving,
): Pick<HttpConfig, 'listen' | 'sockets'> {
  const listen = addr.flatMap((place) => ('socket' in place ? [] : [place]));
  const sockets = addr.flatMap((place) => ('socket' in place ? [resolving.path(place.socket)] : []));
  if (net === 'unix' && (listen.length > 0 || sockets.length === 0)) {
    resolving.problem(['http', 'net'], 'needs the path of a socket; write http.addr: /run/entrepot/registry.sock');
  }
  const long = sockets.find((path) => Buffer.byteLength(path) > socketPathBytesMax);
  if (long !== undefined) {
    resolving.problem(
      ['http', 'addr'],
      `${long} is longer than the ${socketPathBytesMax} bytes that the path of a socket may have; write a shorter one`,
    );
  }
  return { listen, sockets };
}

function resolveDebug(debug: FileConfig['http']['debug'], mode: Mode, resolving: Resolving): DebugConfig | undefined {
  const isOurs = mode === 'entrepot';
  const listen = debug?.addr ?? (isOurs ? debugHere : undefined);
  if (listen === undefined) return undefined;
  if (debug?.addr === undefined) resolving.derive('http.debug.addr', '127.0.0.1:5001');
  const hasMetrics = debug?.prometheus.enabled ?? isOurs;
  if (debug?.prometheus.enabled === undefined) resolving.derive('http.debug.prometheus.enabled', String(hasMetrics));
  const path = debug?.prometheus.path ?? '/metrics';
  return {
    listen,
    required: debug?.addr !== undefined,
    prometheusPath: hasMetrics ? path : undefined,
    takesHealth: !isOurs,
  };
}

export function resolveLog(log: FileConfig['log'], oldLevel: FileConfig['loglevel'], resolving: Resolving): LogConfig {
  const level = log.level ?? oldLevel ?? 'info';
  if (log.level === undefined) resolving.derive('log.level', level);
  return { level, formatter: log.formatter, fields: log.fields, accessLog: !log.accesslog.disabled };
}
