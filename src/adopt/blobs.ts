import { settlingKeyOf } from '../index/settling.ts';
import { takeLease } from '../index/take-lease.ts';
import type { Digest } from '../oci/digest.ts';
import type { AdoptionContext } from './context.ts';

const page = 1_000;
/** In milliseconds. */
const leaseMs = 10_000;

/**
 * Makes the index say which blobs rest in the store: those of no repository, such as a cache that lost its index or a
 * process that ended between storing a blob and telling the index leaves, are known from now on, to be used or to be
 * collected; those that somebody has deleted are forgotten.
 */
export async function reconcileBlobs(context: AdoptionContext, isOver: () => boolean): Promise<void> {
  const known = new Known(context);
  for await (const digests of context.store.restingDigests()) {
    const first = digests[0];
    const last = digests.at(-1);
    if (first === undefined || last === undefined || isOver()) return;
    const resting = new Set(digests);
    for (const digest of await known.upTo(last)) {
      if (resting.delete(digest)) continue;
      await settle(context, digest);
    }
    for (const digest of resting) await settle(context, digest);
  }
  for (let rest = await known.next(); rest !== undefined && !isOver(); rest = await known.next())
    await settle(context, rest);
}

/** What the index knows to rest in the store, in the order of digests. */
class Known {
  readonly #context: AdoptionContext;
  #page: Digest[] = [];
  #last: Digest | undefined;
  #ended = false;

  constructor(context: AdoptionContext) {
    this.#context = context;
  }

  async upTo(limit: Digest): Promise<readonly Digest[]> {
    const found: Digest[] = [];
    for (let digest = await this.#peek(); digest !== undefined && digest <= limit; digest = await this.#peek()) {
      found.push(digest);
      this.#page.pop();
    }
    return found;
  }

  async next(): Promise<Digest | undefined> {
    const digest = await this.#peek();
    this.#page.pop();
    return digest;
  }

  async #peek(): Promise<Digest | undefined> {
    if (this.#page.length === 0 && !this.#ended) {
      const rows = await this.#context.index.blobs.list(this.#last, page);
      this.#ended = rows.length < page;
      this.#last = rows.at(-1)?.digest ?? this.#last;
      this.#page = rows.map(({ digest }) => digest).toReversed();
    }
    return this.#page.at(-1);
  }
}

/** Under the lease of whoever puts a blob in its place, or takes one away: what they are at is theirs. */
async function settle(context: AdoptionContext, digest: Digest): Promise<void> {
  const { store, index, clock, counts } = context;
  const lease = await takeLease(context, settlingKeyOf(digest), leaseMs);
  if (lease === undefined) return;
  try {
    const [blob, stored] = [await store.find(digest), await index.blobs.stored(digest)];
    if (blob === undefined && stored !== undefined) await index.blobs.forget(digest);
    if (blob === undefined || stored !== undefined) return;
    if (await index.adoption.found(blob, lease, clock.now())) counts.blobs += 1;
  } finally {
    await index.leases.release(lease, '');
  }
}
