import { Growth } from '../bytes/growth.ts';
import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { BlobReader, ByteSource } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore, IngestName } from '../store/blob-store.ts';
import { downloadKeyOf } from '../index/settling.ts';
import { parseState } from './download-state.ts';
import { fateOf } from './holder.ts';

/** How often to look at what the other process has, in milliseconds. */
const pollMs = 25;

/** The file of another process, as far as it has told. */
export interface Followed {
  readonly ingest: IngestName;
  readonly growth: Growth;
  readonly bytes: ByteSource;
}

/** How following ended: with the blob when it was stored; without when somebody must take over. */
export interface Followable {
  readonly blob: BlobReader | undefined;
  /** The ingest that was told of last. */
  readonly ingest: IngestName | undefined;
}

/**
 * Follows the download of another process through what it publishes with its lease, until the lease ends, or goes to one
 * who writes elsewhere.
 *
 * @param onGrowing called at most once; takes over what it is given
 */
export async function follow(
  digest: Digest,
  store: BlobStore,
  index: Index,
  clock: Clock,
  signal: AbortSignal,
  onGrowing: (followed: Followed) => void,
): Promise<Followable> {
  let followed: Followed | undefined;
  for (;;) {
    const view = await index.leases.peek(downloadKeyOf(digest));
    const state = view && parseState(view.state);
    const ingest = state?.ingest;
    if (view === undefined || view.expiresAtMs <= clock.now() || fateOf(view.holder) !== 'unknown') {
      return { blob: await store.find(digest), ingest };
    }
    if (followed !== undefined && ingest !== followed.ingest) return { blob: undefined, ingest };
    if (state?.size !== undefined && followed === undefined) {
      const bytes = await store.follow(state.ingest);
      followed = bytes && { ingest: state.ingest, growth: new Growth(state.size, [], () => {}, clock), bytes };
      if (followed !== undefined) onGrowing(followed);
    }
    for (const { start, end } of state?.extents ?? []) followed?.growth.add(start, end);
    await clock.sleep(pollMs, signal);
  }
}
