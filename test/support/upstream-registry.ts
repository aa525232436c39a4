/**
 * The pull half of the distribution specification, and nothing that misbehaves.
 */
import type { Content, Manifest } from './images.ts';
import { describeManifest, literalBlob, MEDIA_TYPES } from './images.ts';
import type { Catalog } from './upstream-catalog.ts';
import type { Gatekeeper } from './upstream-auth.ts';
import type { Redirects } from './upstream-redirects.ts';
import { jsonReply, refusal, reply } from './upstream-reply.ts';
import type { Exchange, Reply } from './upstream-reply.ts';

export interface RateLimit {
  /** Manifest GETs in a window; HEADs are free, as at Docker Hub. */
  readonly limit: number;
  /** Only announced, never counted back. Default 21,600. */
  readonly windowSeconds?: number;
  /** Whether more are refused, with 429 and `Retry-After: 60`. Default false: they are only counted. */
  readonly enforce?: boolean;
}

export interface RegistryOptions {
  readonly rateLimit?: RateLimit;
  /** The most entries a page of tags or referrers has. Default: no limit. */
  readonly pageSize?: number;
  /** Referrers by the API, by the tag `sha256-<hex>` of older registries, or not at all. Default `api`. */
  readonly referrers?: 'api' | 'tag' | 'none';
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #catalog: Catalog;
  readonly #gatekeeper: Gatekeeper;
  readonly #redirects: Redirects | undefined;
  #manifestGets = 0;

  constructor(options: RegistryOptions, catalog: Catalog, gatekeeper: Gatekeeper, redirects: Redirects | undefined) {
    this.#options = options;
    this.#catalog = catalog;
    this.#gatekeeper = gatekeeper;
    this.#redirects = redirects;
  }

  answer(exchange: Exchange): Reply {
    const { entry, url } = exchange;
    if (url.pathname === '/token') return this.#gatekeeper.token(exchange);
    const redirected = this.#redirects?.follow(exchange);
    if (typeof redirected === 'object') return redirected;
    if (typeof redirected === 'string') return this.#bytes(exchange, this.#catalog.anyBlob(redirected));
    if (entry.host !== 'registry') return refusal(404, 'NOT_FOUND');
    const answer = this.#speak(exchange);
    answer.headers['docker-distribution-api-version'] = 'registry/2.0';
    return answer;
  }

  #speak(exchange: Exchange): Reply {
    const path = exchange.url.pathname;
    if (path === '/v2/') return this.#gatekeeper.refuse(exchange.entry, undefined) ?? jsonReply(200, {});
    const parsed = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/.exec(path);
    if (!parsed) return refusal(404, 'NOT_FOUND');
    const [, repository = '', kind, reference = ''] = parsed;
    const refused = this.#gatekeeper.refuse(exchange.entry, repository);
    if (refused) return refused;
    if (!['GET', 'HEAD'].includes(exchange.entry.method)) return refusal(405, 'UNSUPPORTED');
    if (!this.#catalog.has(repository)) return refusal(404, 'NAME_UNKNOWN');
    if (kind === 'manifests') return this.#manifest(exchange, repository, reference);
    if (kind === 'blobs') return this.#blob(exchange, repository, reference);
    return kind === 'tags' ? this.#tags(exchange, repository) : this.#referrers(exchange, repository, reference);
  }

  #manifest(exchange: Exchange, repository: string, reference: string): Reply {
    const found = this.#catalog.manifest(repository, reference) ?? this.#referrersTag(repository, reference);
    if (!found || !accepts(exchange, found.mediaType)) return refusal(404, 'MANIFEST_UNKNOWN');
    const limits = this.#countManifest(exchange);
    if (limits.exceeded) return refusal(429, 'TOOMANYREQUESTS', { ...limits.headers, 'retry-after': '60' });
    exchange.entry.digest = found.digest;
    const { content, digest, mediaType } = found;
    const answer = reply(200, content, {
      'content-type': mediaType,
      'docker-content-digest': digest,
      ...limits.headers,
    });
    answer.etag = `"${digest}"`;
    return answer;
  }

  #countManifest({ entry }: Exchange): { readonly exceeded: boolean; readonly headers: Record<string, string> } {
    const { rateLimit } = this.#options;
    if (!rateLimit) return { exceeded: false, headers: {} };
    const { limit, windowSeconds = 21_600 } = rateLimit;
    if (entry.method === 'GET') this.#manifestGets++;
    const remaining = Math.max(0, limit - this.#manifestGets);
    const headers = {
      'ratelimit-limit': `${limit};w=${windowSeconds}`,
      'ratelimit-remaining': `${remaining};w=${windowSeconds}`,
      'docker-ratelimit-source': '192.0.2.1',
    };
    return { exceeded: rateLimit.enforce === true && this.#manifestGets > limit, headers };
  }

  #blob(exchange: Exchange, repository: string, digest: string): Reply {
    const blob = this.#catalog.blob(repository, digest);
    if (!blob) return refusal(404, 'BLOB_UNKNOWN');
    return this.#redirects ? this.#redirects.begin(exchange, digest) : this.#bytes(exchange, blob);
  }

  #bytes({ entry }: Exchange, blob: Content | undefined): Reply {
    if (!blob) return refusal(404, 'BLOB_UNKNOWN');
    entry.digest = blob.digest;
    const answer = reply(200, blob, {
      'content-type': 'application/octet-stream',
      ...(entry.host === 'registry' && { 'docker-content-digest': blob.digest }),
    });
    answer.ranges = true;
    answer.etag = `"${blob.digest}"`;
    return answer;
  }

  #tags(exchange: Exchange, repository: string): Reply {
    const page = this.#page(exchange, this.#catalog.tags(repository), (tag) => tag);
    return jsonReply(200, { name: repository, tags: page.items }, page.link);
  }

  #referrers(exchange: Exchange, repository: string, subject: string): Reply {
    if ((this.#options.referrers ?? 'api') !== 'api') return refusal(404, 'NOT_FOUND');
    const type = exchange.url.searchParams.get('artifactType');
    const all = this.#catalog.referrers(repository, subject);
    const page = this.#page(
      exchange,
      all.filter(({ artifactType }) => type === null || artifactType === type),
      ({ digest }) => digest,
    );
    return jsonReply(200, indexOf(page.items), {
      'content-type': MEDIA_TYPES.oci.index,
      ...(type !== null && { 'oci-filters-applied': 'artifactType' }),
      ...page.link,
    });
  }

  /** Distribution specification, "Referrers Tag Schema". */
  #referrersTag(repository: string, tag: string): Manifest | undefined {
    if (this.#options.referrers !== 'tag' || !/^sha256-[0-9a-f]{64}$/.test(tag)) return undefined;
    const manifests = this.#catalog.referrers(repository, tag.replace('-', ':'));
    if (manifests.length === 0) return undefined;
    const content = literalBlob(JSON.stringify(indexOf(manifests)));
    const { digest, size } = content;
    const none = { platform: undefined, artifactType: undefined, annotations: undefined, subject: undefined };
    return {
      digest,
      size,
      content,
      bytes: content.bytes(),
      mediaType: MEDIA_TYPES.oci.index,
      blobs: [],
      manifests,
      ...none,
    };
  }

  #page<T>(
    { url }: Exchange,
    all: readonly T[],
    key: (item: T) => string,
  ): { items: T[]; link: Record<string, string> } {
    const { searchParams, pathname } = url;
    const size = Math.min(Number(searchParams.get('n') ?? Infinity), this.#options.pageSize ?? Infinity);
    const last = searchParams.get('last');
    const from = last === null ? 0 : all.findIndex((item) => key(item) === last) + 1;
    const items = all.slice(from, from + size);
    const end = items.at(-1);
    if (end === undefined || from + items.length === all.length) return { items, link: {} };
    const next = new URLSearchParams(searchParams);
    next.set('n', String(size));
    next.set('last', key(end));
    return { items, link: { link: `<${pathname}?${next.toString()}>; rel="next"` } };
  }
}

/** A registry refuses a media type that the client does not list; without any list it gives what it has. */
function accepts({ request }: Exchange, mediaType: string): boolean {
  const accept = request.headers.accept;
  return accept === undefined || accept.includes('*/*') || accept.includes(mediaType);
}

function indexOf(manifests: readonly Manifest[]): object {
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests: manifests.map(describeManifest) };
}
