import type { Config, UpstreamConfig } from '../config/config.ts';
import { upstreamLookup } from '../config/upstream-lookup.ts';
import { globMatcher, hasGlob, mayBothMatch } from '../config/value/glob.ts';
import type { Finding } from './check.ts';

/**
 * Patterns that no request can ever match. Nothing else would tell: what they were to refuse is served, what they were to
 * let in is not, and caches nearer to the clients hide it for weeks.
 */
export function checkRoutes(config: Config): readonly Finding[] {
  // What is asked of registry's own modes names no registry.
  const dead = config.mode === 'entrepot' ? [...deadRoutes(config), ...deadOfTags(config)] : deadOfTags(config);
  return dead.map(({ key, pattern, why }) => ({ what: `pattern ${key}`, ok: false, text: `"${pattern}" ${why}` }));
}

interface Dead {
  readonly key: string;
  readonly pattern: string;
  /** Ends with what to do. */
  readonly why: string;
}

function deadRoutes(config: Config): readonly Dead[] {
  return [...deadWithinUpstreams(config), ...deadAcrossUpstreams(config), ...deadHosts(config), ...deadPins(config)];
}

function deadOfTags(config: Config): readonly Dead[] {
  return [...deadFreshness(config), ...deadImmutable(config)];
}

/** `allow` and `deny` are of names as the upstream has them. */
function deadWithinUpstreams({ upstreams }: Config): readonly Dead[] {
  return upstreams.flatMap((upstream) =>
    (['allow', 'deny'] as const).flatMap((list) =>
      upstream[list].flatMap((pattern): readonly Dead[] => {
        const why = whyNeverWithin(upstream, pattern);
        return why === undefined ? [] : [{ key: `upstreams.${upstream.name}.${list}`, pattern, why }];
      }),
    ),
  );
}

function whyNeverWithin(upstream: UpstreamConfig, pattern: string): string | undefined {
  const [first = '', ...rest] = pattern.split('/');
  if (rest.length > 0 && [upstream.name, ...upstream.aliases].includes(first)) {
    return `never matches: names within an upstream do not begin with it; write "${rest.join('/')}"`;
  }
  if (upstream.library && isOnePart(pattern)) {
    return `never matches: names of one part are in library/ there; write "library/${pattern}", or "**" for everything`;
  }
  return undefined;
}

/** Rules of access are of names with their upstreams in front. */
function deadAcrossUpstreams(config: Config): readonly Dead[] {
  const find = upstreamLookup(config.upstreams);
  return config.access.rules.flatMap(({ on }, position) =>
    on.flatMap((pattern): readonly Dead[] => {
      const why = whyNeverAcross(config, find, pattern);
      return why === undefined ? [] : [{ key: `access[${position}].on`, pattern, why }];
    }),
  );
}

function whyNeverAcross(config: Config, find: ReturnType<typeof upstreamLookup>, pattern: string): string | undefined {
  const [first = '', ...rest] = pattern.split('/');
  const isHost = rest.length > 0 && /[.:]/.test(first) && !hasGlob(first);
  if (!isHost || globMatcher(config.hosted.names)(pattern)) return undefined;
  const upstream = find(first);
  if (upstream === undefined) {
    if (config.intercept?.hosts.kind === 'any') return undefined;
    return `never matches: ${first} is no upstream; correct it, or add it under upstreams`;
  }
  if (upstream.name !== first)
    return `never matches: it is called ${upstream.name} here; write that instead of ${first}`;
  if (upstream.library && isOnePart(rest.join('/'))) {
    return `never matches: names of one part are in library/ there; write "${first}/library/${rest.join('/')}"`;
  }
  return undefined;
}

function deadHosts({ intercept, upstreams }: Config): readonly Dead[] {
  if (intercept?.hosts.kind !== 'list') return [];
  const find = upstreamLookup(upstreams);
  const unknown = intercept.hosts.names.filter((name) => find(name) === undefined);
  const why = 'is never intercepted: it is no upstream; add it under upstreams, or take it out';
  return unknown.map((pattern) => ({ key: 'intercept.hosts', pattern, why }));
}

function deadPins(config: Config): readonly Dead[] {
  const find = upstreamLookup(config.upstreams);
  return config.cache.pins.flatMap((pattern): readonly Dead[] => {
    const why = whyNeverAcross(config, find, pattern);
    return why === undefined ? [] : [{ key: 'cache.pins', pattern, why }];
  });
}

/** The tags of `freshness` are tags alone. */
function deadFreshness({ upstreams }: Config): readonly Dead[] {
  return upstreams.flatMap(({ name, freshness }) =>
    freshness.flatMap(({ tags }): readonly Dead[] => {
      const mark = /[:/@]/.exec(outsideOfChoices(tags))?.[0];
      if (mark === undefined) return [];
      const why = `never matches: no tag has a "${mark}"; write "${tags.split(/[:/@]/).at(-1)}"`;
      return [{ key: `upstreams.${name}.freshness`, pattern: tags, why }];
    }),
  );
}

/** `immutable` is of what is hosted, with its tag. */
function deadImmutable({ mode, hosted }: Config): readonly Dead[] {
  if (mode === 'registry-proxy') return [];
  return hosted.immutable.flatMap((pattern): readonly Dead[] => {
    const why = whyNeverImmutable(pattern, hosted.names);
    return why === undefined ? [] : [{ key: 'hosted.immutable', pattern, why }];
  });
}

function whyNeverImmutable(pattern: string, names: readonly string[]): string | undefined {
  const last = pattern.slice(pattern.lastIndexOf('/') + 1);
  if (!hasGlob(last) && !last.includes(':')) {
    return `never matches: it is of repositories with their tags; write "${pattern}:*"`;
  }
  const colon = outsideOfChoices(last).includes(':') ? pattern.lastIndexOf(':') : pattern.length;
  const repositories = pattern.slice(0, colon);
  if (names.some((name) => mayBothMatch(repositories, name))) return undefined;
  return `never matches: nothing of that name is hosted; correct it, or add "${repositories}" to hosted.names`;
}

/** Without what stands in brackets and braces, of which any may be meant. */
function outsideOfChoices(pattern: string): string {
  return pattern.replaceAll(/\[[^\]]*\]|\{[^}]*\}/g, '');
}

function isOnePart(pattern: string): boolean {
  return !pattern.includes('/') && !pattern.includes('**') && !pattern.includes('{');
}
