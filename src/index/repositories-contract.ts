import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Page, PageRequest, RepositoryKey } from '../oci/repository.ts';

export interface RepositoryIndex {
  /** In byte order of the displayed name: `docker.io/library/redis`, or a hosted name. */
  list(page: PageRequest): Promise<Page<RepositoryRow>>;
  /** By the displayed name of the repository, which begins with `prefix`, then by digest; `last` is `name@digest`. */
  images(page: PageRequest, prefix: string): Promise<Page<ImageRow>>;
  /** Digests of manifests that it holds, in any order. */
  manifests(repository: RepositoryKey, limit: number): Promise<readonly Digest[]>;
  /** Whether anybody may read it upstream, and when that was last checked. */
  visibility(repository: RepositoryKey): Promise<Visibility | undefined>;
  setVisibility(repository: RepositoryKey, visibility: Visibility): Promise<void>;
  statistics(): Promise<IndexStatistics>;
}

export interface RepositoryRow {
  readonly key: RepositoryKey;
  readonly visibility: Visibility | undefined;
}

export interface Visibility {
  readonly public: boolean;
  readonly checkedAtMs: number;
}

/** A manifest of a repository, for listings. Sizes in bytes. */
export interface ImageRow {
  readonly key: RepositoryKey;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly tags: readonly Tag[];
  /** Of all blobs and manifests it refers to, as its descriptors say. */
  readonly describedBytes: number;
  /** Of those that are in the store. */
  readonly heldBytes: number;
  readonly storedAtMs: number;
  readonly lastUsedMs: number;
  readonly pinned: boolean;
  readonly gone: boolean;
}

export interface IndexStatistics {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  /** Of those blobs, cached or hosted, each counted once. */
  readonly heldBytes: number;
}
