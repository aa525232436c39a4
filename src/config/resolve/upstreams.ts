import type { FreshnessRule, UpstreamConfig, UpstreamCredentials } from '../config.ts';
import type { z } from 'zod';
import { builtinUpstreams, canonicalName, type BuiltinUpstream } from '../builtin-upstreams.ts';
import { Secret } from '../secret.ts';
import { upstreamSchema } from '../schema/upstreams.ts';
import type { KeyNode } from '../tree/keys.ts';
import type { Plain } from '../tree/plain.ts';
import { originText } from '../error.ts';
import { originAt, type Path } from '../tree/tree.ts';
import { starsIn } from '../upstream-lookup.ts';
import { parseUpstreamName } from '../value/upstream-name.ts';
import { ValueError } from '../value/value-error.ts';
import type { Resolving } from './resolving.ts';
import { readValue } from './sections.ts';

type PlainMap = Readonly<Record<string, Plain>>;
type UpstreamKeys = z.output<typeof upstreamSchema>;

export interface UpstreamsToResolve {
  /** `upstreams` of the file. */
  readonly given: PlainMap;
  /** DNS servers for those that name none. */
  readonly resolver: readonly string[];
  readonly keys: KeyNode;
}

/** The built-in table, changed and added to by the file. */
export function resolveUpstreams(
  { given, resolver, keys }: UpstreamsToResolve,
  resolving: Resolving,
): readonly UpstreamConfig[] {
  const byName = namesOf(given, resolving);
  const names = new Set([...builtinUpstreams.map((upstream) => upstream.name), ...byName.keys()]);
  return [...names].map((name) => {
    const builtin = builtinUpstreams.find((upstream) => upstream.name === name);
    const written = byName.get(name);
    const path: Path = ['upstreams', written ?? name];
    const own = written === undefined ? {} : ((given[written] ?? {}) as PlainMap);
    const value = readValue(upstreamSchema, {
      value: layered(builtin, own),
      path,
      keys,
      resolving,
      instead: builtin?.keys ?? {},
    });
    return resolveUpstream(name, value, { path, builtin, isNamed: written !== undefined, resolver }, resolving);
  });
}

/** The file's own spelling of each name, by the name as it is looked up. */
function namesOf(given: PlainMap, resolving: Resolving): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const written of Object.keys(given)) {
    const path = ['upstreams', written];
    try {
      const name = canonicalName(parseUpstreamName(written));
      const before = names.get(name);
      if (before === undefined) names.set(name, written);
      else
        resolving.problem(
          path,
          `is the same upstream as ${before} (${originText(originAt(resolving.tree, ['upstreams', before]))}); write their keys under one name`,
        );
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      resolving.problem(path, error.message);
    }
  }
  return names;
}

/** The file's keys over the built-in ones. Realms belong to a host: they don't outlive a URL that points elsewhere. */
function layered(builtin: BuiltinUpstream | undefined, own: PlainMap): PlainMap {
  if (builtin === undefined) return own;
  const { realms, ...keys } = builtin.keys;
  const isMoved = typeof own['url'] === 'string' && hostOf(own['url']) !== hostOf(keys.url);
  return { ...keys, ...(isMoved || realms === undefined ? {} : { realms }), ...own };
}

function hostOf(url: string): string | undefined {
  return URL.parse(url)?.host;
}

interface Around {
  readonly path: Path;
  readonly builtin: BuiltinUpstream | undefined;
  readonly isNamed: boolean;
  readonly resolver: readonly string[];
}

function resolveUpstream(
  name: string,
  keys: UpstreamKeys,
  { path, builtin, isNamed, resolver }: Around,
  resolving: Resolving,
): UpstreamConfig {
  const url = keys.url ?? `https://${name}`;
  if (starsIn(url) !== starsIn(name)) {
    resolving.problem(
      [...path, 'url'],
      `a name with ${starsIn(name)} stars and a URL with ${starsIn(url)}; write as many in both`,
    );
  }
  const credentials = resolveCredentials(keys.credentials, [...path, 'credentials'], resolving);
  if (credentials.kind !== 'none' && url.startsWith('http://') && !keys.insecure) {
    resolving.problem(
      [...path, 'url'],
      'would send credentials over plain http; write https://, or set insecure: true',
    );
  }
  return {
    name,
    aliases: builtin?.aliases ?? [],
    builtIn: builtin !== undefined,
    named: isNamed,
    url,
    library: builtin?.library ?? false,
    mirrors: keys.mirrors,
    credentials,
    exposure: keys.exposure,
    realms: keys.realms,
    freshness: freshnessRules(keys.freshness),
    keep: keys.keep,
    allow: keys.allow,
    deny: keys.deny,
    concurrency: keys.concurrency,
    ranges: keys.ranges,
    bandwidthBytesPerSecond: keys.bandwidth,
    caPath: keys.ca === undefined ? undefined : resolving.file([...path, 'ca'], keys.ca),
    insecure: keys.insecure,
    proxy: keys.proxy,
    timeouts: { connectMs: keys.timeouts.connect, headersMs: keys.timeouts.headers, stallMs: keys.timeouts.stall },
    dial: keys.dial,
    resolver: keys.resolver ?? resolver,
    family: keys.family,
  };
}

/** The time of tags that no rule of a list matches. */
const otherwiseMs = 60_000;

function freshnessRules(freshness: UpstreamKeys['freshness']): readonly FreshnessRule[] {
  if (typeof freshness === 'number') return [{ tags: '*', forMs: freshness }];
  return [...freshness.map((rule) => ({ tags: rule.tags, forMs: rule.for })), { tags: '*', forMs: otherwiseMs }];
}

function resolveCredentials(given: UpstreamKeys['credentials'], path: Path, resolving: Resolving): UpstreamCredentials {
  const none: UpstreamCredentials = { kind: 'none' };
  if (given === undefined) return none;
  const { username, password, passwordfile, dockerconfig, helper, provider } = given;
  const kinds = Object.entries({ username, dockerconfig, helper, provider }).filter(([, value]) => value !== undefined);
  const [first, second] = kinds.map(([key]) => key);
  if (first !== undefined && second !== undefined) {
    resolving.problem([...path, second], `a second kind of credentials beside ${first}; leave one of them`);
    return none;
  }
  if (dockerconfig !== undefined)
    return { kind: 'dockerConfig', path: resolving.file([...path, 'dockerconfig'], dockerconfig) };
  if (helper !== undefined) return { kind: 'helper', name: helper };
  if (provider !== undefined) return { kind: 'provider', provider };
  if (password !== undefined && passwordfile !== undefined) {
    resolving.problem([...path, 'password'], 'a password and a file with one; leave one of them');
  } else if (username === undefined) {
    resolving.problem(
      path,
      'says nobody; write username with password or passwordfile, or dockerconfig, helper or provider',
    );
  } else if (password !== undefined) {
    return { kind: 'static', username, password: new Secret(password) };
  } else if (passwordfile !== undefined) {
    return { kind: 'passwordFile', username, path: resolving.file([...path, 'passwordfile'], passwordfile) };
  } else {
    resolving.problem([...path, 'username'], 'a user without a password; write password or passwordfile, too');
  }
  return none;
}
