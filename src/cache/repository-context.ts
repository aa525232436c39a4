import type { Index } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import type { Asker, RepositoryKey, Wanted } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { Identity } from '../upstream/contract.ts';
import type { Downloads } from './downloads.ts';
import type { Policy } from './freshness.ts';
import type { OnceInCluster } from './once.ts';
import type { Refusals } from './refusals.ts';
import type { Uses } from './uses.ts';

/** What the repositories of a cache share. */
export interface RepositoryContext {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly downloads: Downloads;
  readonly once: OnceInCluster;
  readonly uses: Uses;
  readonly refusals: Refusals;
  /**
   * Stands before every lookup and every joining of a download; and once more before an answer.
   * @param isNew what is wanted was not held, and has just come
   * @returns as whom to ask the upstream for what is not held
   * @throws RegistryError when the asker may not read it
   */
  mayRead(asker: Asker, key: RepositoryKey, wanted: Wanted, isNew?: boolean): Promise<Identity>;
  /** What that would say to others, while the index and the configuration are as they are; false where it is not known. */
  recall(key: RepositoryKey): ((asker: Asker) => boolean) | undefined;
  /** Of an upstream, by its canonical name, as it is now. */
  policy(upstream: string): Policy;
  /** Whether anybody may read the blob upstream in one of these repositories. */
  isPublic(digest: Digest, keys: readonly RepositoryKey[]): Promise<boolean>;
  /** To be told before a manifest that the upstream has just given us comes to be held; false where it is not to be. */
  witness(key: RepositoryKey, identity: Identity, manifest: Digest): Promise<boolean>;
  /** To be told when the upstream refuses what it was said to show to anybody. False when nothing is new in that. */
  doubt(key: RepositoryKey): Promise<boolean>;
}
