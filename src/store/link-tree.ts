import type { Link } from '../oci/link.ts';
import type { BlobStore } from './blob-store.ts';

/**
 * An extra power: the store keeps what repositories hold in the form in which `registry:2` keeps it, so that either can
 * go on with what the other has left.
 */
export interface LinkTree {
  /** Brings the store to say so; all of it is durable when it resolves. A manifest's content comes to rest with it. */
  writeLinks(links: readonly Link[]): Promise<void>;
}

export function hasLinkTree(store: BlobStore): store is BlobStore & LinkTree {
  return 'writeLinks' in store;
}
