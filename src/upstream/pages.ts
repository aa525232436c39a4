import { isDigest } from '../oci/digest.ts';
import { isTag } from '../oci/reference.ts';
import type { Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer } from '../oci/repository.ts';

/** A page of an upstream's list, as it came: `next` is where its Link leads. */
export interface RawPage<T> {
  readonly items: readonly T[];
  readonly next: URL | undefined;
}

/** Entries of a tags list (distribution specification, "Listing Tags"); `undefined` when it is none. Odd names are left out. */
export function parseTags(body: Uint8Array): readonly Tag[] | undefined {
  const content = parseObject(body);
  const tags = content?.['tags'];
  if (content === undefined || (tags !== null && tags !== undefined && !Array.isArray(tags))) return undefined;
  return (tags ?? []).filter((tag): tag is Tag => typeof tag === 'string' && isTag(tag));
}

/** Entries of an image index that answers for referrers; `undefined` when it is none. */
export function parseReferrers(body: Uint8Array): readonly Referrer[] | undefined {
  const manifests = parseObject(body)?.['manifests'];
  if (manifests === null) return [];
  return Array.isArray(manifests) ? manifests.map(referrer).filter((entry) => entry !== undefined) : undefined;
}

/** Longer fields are cut: nothing that a registry has to say here is. */
const linkCharactersMax = 16_384;
/** Succeeds with whatever follows a semicolon, so that there is nothing to try again: an upstream chooses this text. */
const linkParameter = /\s*;\s*([^\s=;,]*)\s*(?:=\s*("[^"]*"|[^",;]*))?/y;

/** The URL of a Link with rel="next" (RFC 8288), resolved against the page's own. Takes time as its length. */
export function nextLink(field: string | string[] | undefined, base: URL): URL | undefined {
  const text = (typeof field === 'string' ? field : (field ?? []).join(', ')).slice(0, linkCharactersMax);
  let at = 0;
  for (;;) {
    const open = text.indexOf('<', at);
    const close = open < 0 ? -1 : text.indexOf('>', open);
    if (close < 0) return undefined;
    at = close + 1;
    let isNext = false;
    linkParameter.lastIndex = at;
    for (let found = linkParameter.exec(text); found !== null; found = linkParameter.exec(text)) {
      at = linkParameter.lastIndex;
      isNext ||= found[1]?.toLowerCase() === 'rel' && relations(found[2] ?? '').includes('next');
    }
    if (isNext) return URL.parse(text.slice(open + 1, close), base) ?? undefined;
  }
}

function relations(value: string): readonly string[] {
  return value.replaceAll('"', '').toLowerCase().split(/\s+/);
}

/**
 * One page out of all tags, for upstreams that page in ways of their own, or not at all.
 * @param all in any order
 */
export function cutPage(all: readonly Tag[], { limit, last }: PageRequest): Page<Tag> {
  const sorted = [...new Set(all)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const after = last === undefined ? sorted : sorted.filter((tag) => tag > last);
  const items = after.slice(0, limit);
  return { items, next: after.length > items.length ? items.at(-1) : undefined };
}

type Json = Readonly<Record<string, unknown>>;

function parseObject(body: Uint8Array): Json | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function referrer(value: unknown): Referrer | undefined {
  if (!isObject(value)) return undefined;
  const { digest, size, mediaType, artifactType, annotations } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  return {
    digest,
    size,
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    artifactType: typeof artifactType === 'string' && artifactType !== '' ? artifactType : undefined,
    annotations: isObject(annotations) ? strings(annotations) : undefined,
  };
}

function strings(value: Json): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
