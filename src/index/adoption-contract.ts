import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import type { Lease } from './leases-contract.ts';

/**
 * Takes in what the store's links say (`store/link-tree.ts`). They are written already: none of it enters the outbox. Names
 * that are adopted as hosted are claimed.
 */
export interface AdoptionIndex {
  standing(repository: RepositoryKey): Promise<LinkStanding>;
  /**
   * Makes a part of what the links say so in the index, or the rest of it, by which what they do not say is forgotten. Of
   * an upstream's repository nothing is forgotten, and its tags are due. A tag of what is not held is passed over.
   * @param changes of `standing` before the links were read; false, and nothing done, when there are others by now
   */
  adopt(repository: RepositoryKey, part: AdoptedPart, changes: number, atMs: number): Promise<boolean>;
  /**
   * It rests in the store, and the index has not known so: from now on it belongs to nobody, as something that was used
   * then. False, and nothing done, when it is to be discarded, or the lease is no longer the newest of its key.
   */
  found(blob: AdoptedBlob, lease: Lease, atMs: number): Promise<boolean>;
  /** Hosted repositories that there is anything of, in byte order. */
  hosted(after: string, limit: number): Promise<readonly RepositoryName[]>;
  /** Everything that is hosted enters the outbox: the links were lost. */
  relink(): Promise<void>;
}

export interface LinkStanding {
  /** There has been anything of it. */
  readonly known: boolean;
  /** What was told with `rest` the last time. */
  readonly fingerprint: string | undefined;
  /** Grows with every change that enters the outbox. */
  readonly changes: number;
  /** Some of them are not written yet: the links are older than the index. */
  readonly pending: boolean;
}

export interface AdoptedPart {
  /** Blobs that the repository holds, and that rest in the store. */
  readonly blobs: readonly AdoptedBlob[];
  /** Something of the repository, that nobody here understands, may need them: they are nothing to collect. */
  readonly keepBlobs: boolean;
  /** Those, too, rest in the store. */
  readonly manifests: readonly Manifest[];
  readonly tags: readonly (readonly [tag: Tag, digest: Digest])[];
  readonly rest?: {
    /** Digests of layers, digests of manifests, tags that stay. */
    readonly layers: ReadonlySet<string>;
    readonly manifests: ReadonlySet<string>;
    readonly tags: ReadonlySet<string>;
    readonly fingerprint: string | undefined;
  };
}

export interface AdoptedBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
}
