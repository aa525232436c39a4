import type { UpstreamConfig, UpstreamCredentials } from '../config.ts';
import { Secret } from '../secret.ts';
import type { FileConfig } from '../schema/schema.ts';
import { treeAt } from '../tree/tree.ts';
import { plainUpstream } from '../upstream-defaults.ts';
import { upstreamName } from '../value/upstream-name.ts';
import { upstreamLookup } from '../upstream-lookup.ts';
import type { Resolving } from './resolving.ts';

/** What registry keeps a thing for, since it was last used, when nobody says. */
const ttlMs = 7 * 86_400_000;

export interface RegistryProxy {
  readonly upstream: UpstreamConfig;
  /** `Infinity` for registry's 0. */
  readonly unusedMs: number;
}

/**
 * registry's pull-through keys: the one upstream that they mean. What the table knows of that host stays (realms, other
 * names), and what `upstreams` says of it, too. Undefined without `remoteurl`.
 */
export function resolveRegistryProxy(
  proxy: FileConfig['proxy'],
  upstreams: readonly UpstreamConfig[],
  resolving: Resolving,
): RegistryProxy | undefined {
  const url = proxy.remoteurl;
  if (url === undefined) {
    const stray = (['username', 'password', 'exec', 'ttl'] as const).find((key) => proxy[key] !== undefined);
    if (stray !== undefined)
      resolving.problem(['proxy', stray], 'needs an upstream; write proxy.remoteurl, too, or use upstreams.NAME');
    return undefined;
  }
  const { host } = new URL(url);
  const known = upstreamLookup(upstreams)(host) ?? plainUpstream(upstreamName(host) ?? host);
  const upstream = withCredentials({ ...known, url }, proxy, resolving);
  const unusedMs = proxy.ttl === 0 ? Number.POSITIVE_INFINITY : (proxy.ttl ?? ttlMs);
  if (proxy.ttl === undefined) resolving.derive('proxy.ttl', '168h');
  noteUnreached(upstream, resolving);
  return { upstream, unusedMs };
}

/** What `upstreams` says of others has no effect, and whoever wrote it meant it to. */
function noteUnreached(upstream: UpstreamConfig, resolving: Resolving): void {
  const given = treeAt(resolving.tree, ['upstreams']);
  const names = given?.kind === 'map' ? [...given.entries.keys()] : [];
  const others = names.filter((name) => ![upstream.name, ...upstream.aliases].includes(upstreamName(name) ?? name));
  for (const name of others) {
    resolving.notices.push(
      `upstreams.${name} is not reached while proxy.remoteurl makes this a cache of ${upstream.name} alone; remove one of them`,
    );
  }
}

function withCredentials(upstream: UpstreamConfig, proxy: FileConfig['proxy'], resolving: Resolving): UpstreamConfig {
  const credentials = credentialsOf(upstream, proxy, resolving);
  if (credentials === undefined) return upstream;
  const who = credentials.kind === 'static' ? credentials.username : 'the user of proxy.exec';
  const isExposed = exposureOf(upstream, resolving) === undefined;
  if (isExposed) {
    resolving.notices.push(
      `whoever reaches this server can pull whatever ${who} may pull from ${upstream.name}, as registry has it; set upstreams.${upstream.name}.exposure to authenticated to change that`,
    );
  }
  const isPlain = upstream.url.startsWith('http://');
  if (isPlain)
    resolving.notices.push(
      `proxy.remoteurl sends ${credentials.kind === 'static' ? `${who}'s` : 'a'} password over plain http; write https:// if the upstream can`,
    );
  return { ...upstream, credentials, exposure: isExposed ? 'anyone' : upstream.exposure };
}

/** A command counts more than a user, as in registry. Undefined where nobody is named, or only half of somebody. */
function credentialsOf(
  upstream: UpstreamConfig,
  { exec, username, password }: FileConfig['proxy'],
  resolving: Resolving,
): UpstreamCredentials | undefined {
  if (exec !== undefined) {
    if (username !== undefined)
      resolving.notices.push('proxy.username is not used beside proxy.exec, as registry has it; remove one of them');
    if (exec.command === undefined) {
      resolving.problem(['proxy', 'exec'], 'names no program; write proxy.exec.command');
      return undefined;
    }
    return {
      kind: 'command',
      command: exec.command,
      servers: serversOf(upstream),
      lifetimeMs: exec.lifetime ?? Infinity,
    };
  }
  if (username !== undefined && password !== undefined)
    return { kind: 'static', username, password: new Secret(password) };
  if (username !== undefined)
    resolving.problem(['proxy', 'username'], 'needs the other half; write proxy.password, too');
  if (password !== undefined)
    resolving.problem(['proxy', 'password'], 'needs the other half; write proxy.username, too');
  return undefined;
}

/** registry asks for the host that wants the password: the token service's, else the upstream's own. */
function serversOf({ realms, url }: UpstreamConfig): readonly string[] {
  return [...realms, new URL(url).host];
}

function exposureOf(upstream: UpstreamConfig, resolving: Resolving): unknown {
  const names = [upstream.name, ...upstream.aliases];
  return names
    .map((name) => treeAt(resolving.tree, ['upstreams', name, 'exposure']))
    .find((given) => given !== undefined);
}
