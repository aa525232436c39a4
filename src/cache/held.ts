import type { Index } from '../index/contract.ts';
import type { Observer } from '../observe/events.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { canQuarantine } from '../store/blob-store.ts';
import type { BlobStore } from '../store/blob-store.ts';

interface Keeping {
  readonly store: BlobStore;
  readonly index: Index;
  readonly observer: Observer;
}

/**
 * A blob at rest; `undefined` also for one that has another size now than when it was stored: somebody has damaged it
 * from outside, and what it has left must not pass for the whole.
 */
export async function findHeld(
  { store, index }: Omit<Keeping, 'observer'>,
  digest: Digest,
): Promise<BlobReader | undefined> {
  const found = await store.find(digest);
  if (found === undefined) return undefined;
  const size = await index.blobs.stored(digest);
  return size === undefined || size === found.size ? found : undefined;
}

/** The same for the holder of the blob's lease, who may clear away what is damaged and fetch it anew. */
export async function takeHeld(keeping: Keeping, digest: Digest): Promise<BlobReader | undefined> {
  const held = await findHeld(keeping, digest);
  if (held !== undefined) return held;
  if ((await keeping.store.find(digest)) !== undefined) {
    await setAside(keeping, digest, 'it has another size than when it was stored');
  } else if ((await keeping.index.blobs.stored(digest)) !== undefined) {
    await setAside(keeping, digest, 'its file is gone');
  }
  return undefined;
}

/** Moves what is damaged out of the way, for a look where the store can do that. What was pushed is always kept for it. */
export async function setAside({ store, index, observer }: Keeping, digest: Digest, reason: string): Promise<void> {
  const room = (await index.hosted.holds(digest)) ? 'unlimited' : 'limited';
  await (canQuarantine(store) ? store.quarantine(digest, room) : store.delete(digest));
  await index.blobs.forget(digest);
  observer.emit({ type: 'cache.quarantined', digest, reason });
}
