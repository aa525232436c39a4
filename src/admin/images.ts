import type { Index, ImageRow } from '../index/contract.ts';
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
  for await (const row of everyImage(index, query.optional('prefix') ?? '')) {
    const name = byUpstream ? (row.key.upstream ?? 'hosted') : repositoryText(row.key);
    const sum = rows.get(name) ?? { name, images: 0, heldBytes: 0, lastUsedMs: 0 };
    rows.set(name, {
      name,
      images: sum.images + 1,
      heldBytes: sum.heldBytes + row.heldBytes,
      lastUsedMs: Math.max(sum.lastUsedMs, row.lastUsedMs),
    });
  }
  const { heldBytes } = await index.repositories.statistics();
  return { heldBytes, rows: [...rows.values()].sort((one, other) => other.heldBytes - one.heldBytes) };
}

/** Page by page, so that no listing holds the whole index in memory. */
export async function* everyImage(index: Index, prefix: string): AsyncIterable<ImageRow> {
  let last: string | undefined;
  do {
    const page = await index.repositories.images({ limit: pageEntriesMax, last }, prefix);
    yield* page.items;
    last = page.next;
  } while (last !== undefined);
}
