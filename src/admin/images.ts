import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ImageRow, Index } from '../index/contract.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexMediaType } from '../oci/media-types.ts';
import { repositoryText } from './locate.ts';
import type { Query } from './query.ts';
import type { ImageView, PageView, UsageRow, UsageView } from './views.ts';

/** Entries of a page, by default and at most. */
const pageEntries = 200;
const pageEntriesMax = 1000;

export async function imagesPage(index: Index, query: Query): Promise<PageView<ImageView>> {
  const page = { limit: query.count('limit', pageEntries, pageEntriesMax), last: query.optional('last') };
  const { items, next } = await index.repositories.images(page, query.optional('prefix') ?? '');
  return { items: items.map(imageView), next };
}

export function imageView(row: ImageRow): ImageView {
  const { key, ...rest } = row;
  return { repository: repositoryText(key), ...rest };
}

/** Sums over all images whose name begins with `prefix`, `by` upstream or repository, largest first. */
export async function usage(index: Index, query: Query): Promise<UsageView> {
  const byUpstream = query.optional('by') !== 'repository';
  const rows = new Map<string, UsageRow>();
  for await (const images of everyRepository(index, query.optional('prefix') ?? '')) {
    const [{ key }] = images;
    const name = byUpstream ? (key.upstream ?? 'hosted') : repositoryText(key);
    const sum = rows.get(name) ?? { name, images: 0, heldBytes: 0, lastUsedMs: 0 };
    const whole = await withoutChildren(index, images);
    rows.set(name, {
      name,
      images: sum.images + whole.length,
      heldBytes: whole.reduce((bytes, row) => bytes + row.heldBytes, sum.heldBytes),
      lastUsedMs: whole.reduce((latest, row) => Math.max(latest, row.lastUsedMs), sum.lastUsedMs),
    });
  }
  const { heldBytes } = await index.repositories.statistics();
  return { heldBytes, rows: [...rows.values()].sort((one, other) => other.heldBytes - one.heldBytes) };
}

type OneOrMore<T> = readonly [T, ...T[]];

/** What an index lists is part of it, and its bytes are the index's already. */
async function withoutChildren(index: Index, images: readonly ImageRow[]): Promise<readonly ImageRow[]> {
  const children = new Set<Digest>();
  for (const { key, digest, mediaType } of images) {
    if (!isIndexMediaType(mediaType)) continue;
    const held = await index.manifests.find(key, digest);
    if (held === undefined) continue;
    for (const child of parseManifest(held.bytes, held.mediaType).children) children.add(child.digest);
  }
  return images.filter(({ digest }) => !children.has(digest));
}

/** The images of one repository after the other: listings are in the order of names. */
async function* everyRepository(index: Index, prefix: string): AsyncIterable<OneOrMore<ImageRow>> {
  let group: [ImageRow, ...ImageRow[]] | undefined;
  for await (const row of everyImage(index, prefix)) {
    if (group !== undefined && repositoryText(group[0].key) === repositoryText(row.key)) group.push(row);
    else {
      if (group !== undefined) yield group;
      group = [row];
    }
  }
  if (group !== undefined) yield group;
}

/** Rows that are read in one go: some milliseconds, in which nobody else is served. */
const turnRows = 100;

/** Page by page and turn by turn, so that no listing holds the whole index in memory or keeps clients waiting. */
export async function* everyImage(index: Index, prefix: string): AsyncIterable<ImageRow> {
  let last: string | undefined;
  do {
    const page = await index.repositories.images({ limit: turnRows, last }, prefix);
    yield* page.items;
    last = page.next;
    await nextTurn();
  } while (last !== undefined);
}
