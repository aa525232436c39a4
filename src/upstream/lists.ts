import type { Digest } from '../oci/digest.ts';
import { mediaTypes } from '../oci/media-types.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer } from '../oci/repository.ts';
import type { Identity } from './contract.ts';
import type { Ask, Endpoint } from './endpoint.ts';
import { invalidFailure } from './failure.ts';
import { cutPage, nextLink, parseReferrers, parseTags } from './pages.ts';
import { oddBody } from './transfer.ts';

/** One page of an upstream's list, in bytes; and how many pages are read to answer one question. */
export const pageBytesMax = 8 * 1024 * 1024;
export const pagesMax = 50;
/** Of a list that is put together here, in bytes as they came: it is in memory at once, several times over. */
export const listBytesMax = 16 * 1024 * 1024;

/**
 * A page of tags. Most upstreams page by `last`, in an order of their own, which is passed on as it is. Those that page by
 * a cursor (Quay) or ignore `n` (Google) are read to the end, and the page is cut here.
 * @throws RegistryError
 */
export async function listTags(
  endpoint: Endpoint,
  name: RepositoryName,
  page: PageRequest,
  as: Identity,
): Promise<Page<Tag> | undefined> {
  const query = new URLSearchParams({ n: String(page.limit) });
  if (page.last !== undefined) query.set('last', page.last);
  const about = { kind: 'tags', subject: `the tags of ${name}`, repository: name, as } as const;
  const first = await readPage(endpoint, { ...about, path: `${name}/tags/list?${query.toString()}` }, parseTags);
  if (first === undefined) return undefined;
  if (obeys(first.items, page)) {
    const last = first.next?.searchParams.get('last') ?? undefined;
    if (first.next === undefined) return { items: first.items, next: undefined };
    if (last !== undefined && last !== page.last) return { items: first.items, next: last };
  }
  const all = await readOn(endpoint, about, first, parseTags);
  return cutPage(all, page);
}

/** An upstream that ignores `last` sends it again among all others. */
function obeys(items: readonly string[], { limit, last }: PageRequest): boolean {
  return items.length <= limit && (last === undefined || !items.includes(last));
}

/**
 * All referrers of a manifest, filtered here whatever the upstream did.
 * @returns `undefined` when the upstream has no referrers API
 * @throws RegistryError
 */
export async function listReferrers(
  endpoint: Endpoint,
  name: RepositoryName,
  subject: Digest,
  artifactType: string | undefined,
  as: Identity,
): Promise<readonly Referrer[] | undefined> {
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType }).toString()}`;
  const about = {
    kind: 'referrers',
    subject: `the referrers of ${name}@${subject}`,
    repository: name,
    as,
    headers: { accept: mediaTypes.ociIndex },
  } as const;
  const path = `${name}/referrers/${subject}${query}`;
  const first = await readPage(endpoint, { ...about, path }, parseReferrers, [400, 404, 405, 410, 501]);
  if (first === undefined) return undefined;
  const all = await readOn(endpoint, about, first, parseReferrers);
  return artifactType === undefined ? all : all.filter((entry) => entry.artifactType === artifactType);
}

type About = Omit<Ask, 'path' | 'method' | 'small'>;

interface ReadPage<T> {
  readonly items: readonly T[];
  readonly bytes: number;
  readonly next: URL | undefined;
}

async function readPage<T>(
  endpoint: Endpoint,
  about: About & { readonly path: string },
  parse: (body: Uint8Array) => readonly T[] | undefined,
  absent: readonly number[] = [404, 410],
): Promise<ReadPage<T> | undefined> {
  const answer = await endpoint.read({ ...about, method: 'GET', small: true }, pageBytesMax);
  const { status, headers } = answer.head;
  if (absent.includes(status)) return undefined;
  if (status !== 200) throw endpoint.fail(answer);
  const odd = oddBody(headers);
  if (odd !== undefined) throw invalidFailure(answer.question, odd);
  const items = parse(answer.body);
  if (items === undefined) throw invalidFailure(answer.question, 'sent something else than a list');
  return { items, bytes: answer.body.length, next: nextLink(headers.link, endpoint.urlOf(about.path)) };
}

/** The first page and those that its links lead to, as far as they stay with this registry. */
async function readOn<T>(
  endpoint: Endpoint,
  about: About,
  first: ReadPage<T>,
  parse: (body: Uint8Array) => readonly T[] | undefined,
): Promise<readonly T[]> {
  const all = [...first.items];
  let next = first.next;
  let bytes = first.bytes;
  for (let pages = 1; next !== undefined && pages < pagesMax && bytes < listBytesMax; pages++) {
    const path = endpoint.pathOf(next);
    const page = path === undefined ? undefined : await readPage(endpoint, { ...about, path }, parse);
    if (page === undefined) break;
    bytes += page.bytes;
    // Not spread: a page may have more entries than a call may have arguments.
    for (const item of page.items) all.push(item);
    next = page.next?.href === next.href ? undefined : page.next;
  }
  return all;
}
