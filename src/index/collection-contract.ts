import type { Digest } from '../oci/digest.ts';
import type { Index } from './contract.ts';

/** What is asked for all the time is written down once in so many milliseconds. */
export const touchGrainMs = 60_000;

/**
 * What nobody needs any more: blobs of a hosted repository that no manifest there refers to, and what rests in the store
 * without belonging to anybody. The former go when nobody has uploaded, mounted or asked for them there since a time; an
 * unfinished upload of their repository that is younger keeps them as well, since its manifest is still to come. The
 * latter go when nobody has found (`AdoptionIndex.found`) or used them since.
 */
export interface CollectionIndex {
  /**
   * Lets up to `limit` of them go, the oldest of each kind first, durably; what no other repository has, nor refers to,
   * leaves the index and is to be discarded.
   */
  collect(beforeMs: number, page: CollectionPage): Promise<Collected>;
  /**
   * Removes manifests of hosted repositories that have no tag, no index above them and no subject in their repository,
   * when nobody has put, pulled or asked for them since, nor taken their tag away; a page of them looked at.
   */
  removeUntagged(beforeMs: number, page: CollectionPage): Promise<RemovedManifests>;
  /** Those that are younger. */
  waiting(beforeMs: number): Promise<number>;
  /** What left the index and may still be in the store, in the order of digests. */
  discards(after: Digest | undefined, limit: number): Promise<readonly Digest[]>;
  /**
   * Whether a discard may be deleted: it is not in the index again. What was merely found in the store meanwhile, and
   * has neither an owner nor a use, leaves the index again.
   */
  mayDiscard(digest: Digest): Promise<boolean>;
  /** It is no longer in the store, or it is in the index again. */
  discarded(digest: Digest): Promise<void>;
  /** A copy of the whole index as it is now, to try things on; nothing is left of it once disposed of. */
  rehearse(): Promise<Index>;
}

export interface RemovedManifests {
  /** Where the page ends; `undefined` when there was nothing more to look at. */
  readonly next: string | undefined;
  readonly manifests: number;
}

export interface CollectionPage {
  /** Where the page before ended. */
  readonly after: string | undefined;
  readonly limit: number;
}

export interface Collected {
  /** Where the page ends; `undefined` when there was nothing more to look at. */
  readonly next: string | undefined;
  /** What left the index. */
  readonly blobs: readonly DroppedBlob[];
}

export interface DroppedBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}
