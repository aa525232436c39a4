import type { Cache } from '../cache/contract.ts';
import type { Config, UpstreamConfig } from '../config/config.ts';
import { upstreamLookup } from '../config/upstream-lookup.ts';
import { globMatcher } from '../config/value/glob.ts';
import { judge } from '../cache/freshness.ts';
import type { Index } from '../index/contract.ts';
import { isDigestReference } from '../oci/reference.ts';
import type { Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { Upstreams } from '../upstream/contract.ts';
import { explainManifest } from './explain-manifest.ts';
import { repositoryText } from './locate.ts';
import type { Located } from './locate.ts';
import { verdictOf } from './verdict.ts';
import type { ExplainedTag, ExplainedUpstream, ExplainView } from './views.ts';

export interface ExplainFrom {
  readonly index: Index;
  readonly cache: Cache;
  readonly upstreams: Upstreams;
  readonly config: Config;
  readonly nowMs: number;
}

/** What is known of an image, why it is kept, and what a pull would get. Asks no upstream. */
export async function explain(from: ExplainFrom, located: Located): Promise<ExplainView> {
  const { key, reference, text } = located;
  const { index, config } = from;
  const settings = key.upstream === undefined ? undefined : upstreamLookup(config.upstreams)(key.upstream);
  const tag = isDigestReference(reference) ? undefined : await explainTag(from, key, reference, settings);
  const digest = isDigestReference(reference) ? reference : tag?.digest;
  const manifest = digest === undefined ? undefined : await explainManifest(from, key, digest);
  const upstream = explainUpstream(from.upstreams, key, settings);
  return {
    image: text,
    repository: repositoryText(key),
    routes: routesTo(config, key, text),
    upstream,
    visibility: await index.repositories.visibility(key),
    tag,
    manifest,
    verdict: verdictOf({
      upstream,
      tag,
      manifest,
      byDigest: isDigestReference(reference),
      offline: config.cache.offline,
    }),
  };
}

async function explainTag(
  { index, nowMs }: ExplainFrom,
  key: RepositoryKey,
  tag: Tag,
  settings: UpstreamConfig | undefined,
): Promise<ExplainedTag | undefined> {
  const held = await index.tags.find(key, tag);
  if (held === undefined) return undefined;
  // What is hosted has no upstream to ask: it is fresh for ever.
  const freshMs = settings === undefined ? Number.POSITIVE_INFINITY : freshMsOf(settings, tag);
  const dueAtMs = (held.seen?.atMs ?? held.checkedAtMs) + freshMs;
  return {
    name: tag,
    digest: held.digest,
    seenDigest: held.seen?.descriptor.digest,
    checkedAtMs: held.checkedAtMs,
    state: judge(held, freshMs, nowMs, false),
    dueAtMs: Number.isFinite(dueAtMs) ? dueAtMs : undefined,
  };
}

function freshMsOf(settings: UpstreamConfig, tag: Tag): number {
  return settings.freshness.find(({ tags }) => globMatcher([tags])(tag))?.forMs ?? 0;
}

function explainUpstream(
  upstreams: Upstreams,
  { upstream, name }: RepositoryKey,
  settings: UpstreamConfig | undefined,
): ExplainedUpstream | undefined {
  const found = upstream === undefined ? undefined : upstreams.find(upstream);
  if (found === undefined) return undefined;
  const { circuit, lastError } = found.status();
  return {
    name: found.name,
    url: found.url,
    circuit,
    lastError,
    hasCredentials: found.hasCredentials,
    exposure: settings?.exposure ?? 'authenticated',
    allowed: settings === undefined || (globMatcher(settings.allow)(name) && !globMatcher(settings.deny)(name)),
  };
}

function routesTo(config: Config, key: RepositoryKey, text: string): readonly string[] {
  const host = hostText(config);
  if (key.upstream === undefined) return [`${host}/${text}`];
  if (config.mode !== 'entrepot') return [`${host}/${text.slice(text.indexOf('/') + 1)}`];
  const mirror = key.upstream === config.defaultUpstream ? [`${text} (dockerd with registry-mirrors)`] : [];
  return [...mirror, `${text} (containerd with hosts.toml, Podman with registries.conf)`, `${host}/${text}`];
}

function hostText({ http }: Config): string {
  if (http.externalUrl !== undefined) return new URL(http.externalUrl).host;
  const [listen] = http.listen;
  return `${listen?.host ?? 'CACHE'}:${listen?.port ?? 5000}`;
}
