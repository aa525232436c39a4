import type { Digest } from '../oci/digest.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/** What stays and what goes. The unit is a manifest of a repository with the blobs that only it refers to. */
export interface KeepingIndex {
  /** Bytes of blobs in the store that no hosted repository has, kept up to date by every change: what limits are about. O(1). */
  cachedBytes(): Promise<number>;
  /** A use of a manifest or blob; its parents in that repository (the 64 newest) and theirs count as used too. */
  touch(uses: readonly Use[]): Promise<void>;
  /**
   * What to evict next: least recently used first; what the upstream no longer has after everything else; never what
   * is pinned or hosted. Blobs that no manifest refers to appear with `manifest: undefined`.
   */
  candidates(limit: number): Promise<readonly Candidate[]>;
  /**
   * Drops it from the index and returns the blobs that nothing refers to any more, now to be deleted from the store;
   * their memberships go with them. One that was not chosen is purged: the manifests that it lists go along, unless
   * something else lists or tags them.
   */
  evict(candidate: Candidate): Promise<readonly Digest[]>;
}

/** What is never evicted, as the operator says and as the configuration says. */
export interface PinIndex {
  /**
   * A glob over `repository:tag`, or over `repository@digest` when it has an @; without either, every tag. Repositories
   * are named as displayed: `docker.io/library/postgres:*`. An index is pinned with all that it lists.
   * @throws RegistryError `REQUEST_INVALID` (origin `operator`) beyond 1,000 pins or 512 characters
   */
  pin(pattern: string): Promise<void>;
  unpin(pattern: string): Promise<boolean>;
  /** The operator's, in byte order. */
  list(): Promise<readonly string[]>;
  /** From now on the configuration pins these, and nothing that it pinned before. Throws as `pin` does. */
  configure(patterns: readonly string[]): Promise<void>;
}

export interface Use {
  readonly repository: RepositoryKey;
  readonly digest: Digest;
  readonly atMs: number;
}

export interface Candidate {
  readonly repository: RepositoryKey | undefined;
  readonly manifest: Digest | undefined;
  readonly blob: Digest | undefined;
  readonly lastUsedMs: number;
  readonly gone: boolean;
  /** Set by `candidates`: `evict` then leaves it alone when it was pinned or used since. Without it, it goes anyway. */
  readonly chosen?: true;
}
