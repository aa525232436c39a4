import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import type { ChildDescriptor, Manifest } from '../oci/manifest.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Page, PageRequest, RepositoryKey } from '../oci/repository.ts';
import type { UploadId } from '../oci/upload.ts';
import type { Tell } from './notices-contract.ts';
import type { Lease } from './leases-contract.ts';

/** What clients push and delete. What resolves here survives a power cut. */
export interface HostedIndex {
  /**
   * Holds a manifest and points tags at it, if the repository has what the manifest needs.
   * @throws RegistryError `MANIFEST_BLOB_UNKNOWN`, or `TAG_IMMUTABLE`; then nothing has changed
   */
  put(repository: RepositoryKey, manifest: Manifest, push: ManifestPush): Promise<void>;
  /**
   * A tag alone, or a manifest with its tags.
   * @throws RegistryError `TAG_IMMUTABLE` when a tag that never moves would go
   */
  remove(
    repository: RepositoryKey,
    reference: Reference,
    isImmutable: (tag: Tag) => boolean,
    atMs: number,
    tell?: Tell,
  ): Promise<boolean>;
  /**
   * An upload has become a blob of the repository, which rests in the store, and the lease is forgotten. False, and nothing
   * changed, when the lease is no longer the newest of its key.
   */
  addBlob(repository: RepositoryKey, blob: PushedBlob, lease: Lease, atMs: number): Promise<boolean>;
  /** False when the blob does not rest in the store, or `from` has not earned it. */
  mountBlob(
    repository: RepositoryKey,
    from: RepositoryKey,
    digest: Digest,
    atMs: number,
    tell?: Tell,
  ): Promise<boolean>;
  /** Whether any hosted repository has it, as a blob or as a manifest. */
  holds(digest: Digest): Promise<boolean>;
  /**
   * Whether it was uploaded or mounted there. Who hears so may rely on it: it was asked for just now, to the precision of
   * `touchGrainMs`, and is not collected for a while.
   */
  hasBlob(repository: RepositoryKey, digest: Digest, atMs: number): Promise<boolean>;
  /** `needed`, and nothing changed, while a manifest of the repository refers to it. */
  removeBlob(repository: RepositoryKey, digest: Digest, tell?: Tell): Promise<'removed' | 'absent' | 'needed'>;
}

export interface ManifestPush {
  readonly tags: readonly Tag[];
  isImmutable(tag: Tag): boolean;
  /** What the manifest refers to may be missing. */
  readonly sparse: boolean;
  /** This of what it refers to may be missing. */
  mayLack?(child: ChildDescriptor): boolean;
  readonly atMs: number;
  readonly tell?: Tell | undefined;
}

export interface PushedBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  /** It ends with this. */
  readonly upload: UploadId;
  readonly tell?: Tell | undefined;
}

/** Unfinished uploads, so that any process can go on with them. One process at a time writes to each. */
export interface UploadIndex {
  start(repository: RepositoryKey, id: UploadId, algorithm: DigestAlgorithm, atMs: number): Promise<void>;
  find(repository: RepositoryKey, id: UploadId): Promise<UploadRow | undefined>;
  /** To be its writer instead of that one (`undefined`: nobody). False when it has another one, or is not there. */
  open(id: UploadId, writer: string, instead: string | undefined, atMs: number): Promise<boolean>;
  /** What has come so far. False when it has another writer by now, or is not there. */
  progress(id: UploadId, writer: string, received: number, atMs: number): Promise<boolean>;
  /** Nobody writes to it any more. */
  close(id: UploadId, writer: string, received: number, atMs: number): Promise<void>;
  remove(id: UploadId): Promise<boolean>;
  /** Those that nothing has come for since then, by their ids, from any on. */
  idle(beforeMs: number, after: UploadId | undefined, limit: number): Promise<readonly UploadRow[]>;
}

export interface UploadRow {
  readonly id: UploadId;
  readonly repository: RepositoryKey;
  readonly algorithm: DigestAlgorithm;
  /** In bytes. */
  readonly received: number;
  readonly touchedAtMs: number;
  readonly writer: string | undefined;
}

/**
 * Names without a slash that somebody has pushed, ever: they are ours until an operator says otherwise, whatever is
 * deleted. Made by the first push; kept beside the index as well as in it.
 */
export interface ClaimIndex {
  has(name: string): Promise<boolean>;
  list(page: PageRequest): Promise<Page<string>>;
  release(name: string): Promise<boolean>;
}
