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
 */
export async function follow(
  digest: Digest,
  store: BlobStore,
  index: Index,
  clock: Clock,
  signal: AbortSignal,
  onGrowing: (growth: Growth, bytes: ByteSource) => void,
): Promise<BlobReader | undefined> {
  let followed: { readonly name: string; readonly growth: Growth; readonly bytes: ByteSource } | undefined;
  try {
    for (;;) {
      const view = await index.leases.peek(leaseKeyOf(digest));
      if (view === undefined || view.expiresAtMs <= clock.now() || fateOf(view.holder) !== 'unknown') {
        return await store.find(digest);
      }
      const state = parseState(view.state);
      if (state?.size !== undefined && state.ingest !== followed?.name) {
        const bytes = await store.follow(state.ingest);
        if (bytes !== undefined) {
          await followed?.bytes[Symbol.asyncDispose]();
          followed = { name: state.ingest, bytes, growth: new Growth(state.size, [], () => {}) };
          onGrowing(followed.growth, bytes);
        }
      }
      if (followed !== undefined && followed.name === state?.ingest) {
        for (const { start, end } of state.extents) followed.growth.add(start, end);
      }
      await clock.sleep(pollMs, signal);
    }
  } finally {
    await followed?.bytes[Symbol.asyncDispose]();
  }
}
