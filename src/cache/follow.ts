import { Growth } from '../bytes/growth.ts';
import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { BlobReader, ByteSource } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { leaseKeyOf, parseState } from './download-state.ts';
import { fateOf } from './holder.ts';

/** How often to look at what the other process has, in milliseconds. */
const pollMs = 25;

/**
 * Follows the download of another process through what it publishes with its lease, until the lease ends. Resolves to
 * the blob when it was stored, to `undefined` when the lease is free to be taken over.
 *
 * @param onGrowing takes over what it is given: readers read from it until they know of something better
 */
export async function follow(
  digest: Digest,
  store: BlobStore,
  index: Index,
  clock: Clock,
  signal: AbortSignal,
  onGrowing: (growth: Growth, bytes: ByteSource) => void,
): Promise<BlobReader | undefined> {
  let followed: { readonly name: string; readonly growth: Growth } | undefined;
  for (;;) {
    const view = await index.leases.peek(leaseKeyOf(digest));
    if (view === undefined || view.expiresAtMs <= clock.now() || fateOf(view.holder) !== 'unknown') {
      return store.find(digest);
    }
    const state = parseState(view.state);
    if (state?.size !== undefined && state.ingest !== followed?.name) {
      const bytes = await store.follow(state.ingest);
      if (bytes !== undefined) {
        followed = { name: state.ingest, growth: new Growth(state.size, [], () => {}) };
        onGrowing(followed.growth, bytes);
      }
    }
    if (followed !== undefined && followed.name === state?.ingest) {
      for (const { start, end } of state.extents) followed.growth.add(start, end);
    }
    await clock.sleep(pollMs, signal);
  }
}
