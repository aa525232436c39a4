import type { LeaseTaker } from '../index/take-lease.ts';
import type { Observer } from '../observe/events.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { LinkTree } from '../store/link-tree.ts';

export interface AdoptionOptions extends LeaseTaker {
  readonly store: BlobStore;
  readonly observer: Observer;
  /** Whose links those of a name are: hosted here, or an upstream's of which the volume is a cache; `undefined`: nobody's. */
  readonly keyOf: (name: RepositoryName) => RepositoryKey | undefined;
  /** Writes what is pending in the outbox, or what is of one repository, before all else. False when another process is at it. */
  readonly drain: (only?: RepositoryKey) => Promise<boolean>;
  /** To be told before content of an upstream comes to be held. */
  readonly witness: (key: RepositoryKey) => Promise<unknown>;
}

export interface AdoptionContext extends AdoptionOptions {
  readonly store: BlobStore & LinkTree;
  readonly counts: Counts;
}

/** What an adoption has come across so far. */
export interface Counts {
  repositories: number;
  /** Taken in, not those that were known. */
  manifests: number;
  blobs: number;
  /** Links of content that is not there, as a collection of `registry:2` leaves them. */
  dangling: number;
  /** What could not be understood, each told. */
  troubles: number;
}
