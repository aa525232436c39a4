import type { Digest, DigestAlgorithm } from '../oci/digest.ts';
import type { Descriptor, Manifest } from '../oci/manifest.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer, RepositoryKey } from '../oci/repository.ts';
import type { UploadId } from '../oci/upload.ts';

/**
 * What we know about content. One SQL schema behind it; no SQL outside this room. Times are milliseconds since the
 * epoch and always an input: the index has no clock. Every call is one transaction.
 *
 * Every driver passes `test/contracts/index.ts`.
 */
export interface Index extends AsyncDisposable {
  readonly manifests: ManifestIndex;
  readonly tags: TagIndex;
  readonly blobs: BlobIndex;
  readonly leases: LeaseIndex;
  readonly keeping: KeepingIndex;
  readonly pins: PinIndex;
  readonly repositories: RepositoryIndex;
  readonly hosted: HostedIndex;
  readonly uploads: UploadIndex;
  readonly claims: ClaimIndex;
}

/** Which manifests each repository holds. A manifest's bytes are kept once, however many repositories hold it. */
export interface ManifestIndex {
  find(repository: RepositoryKey, digest: Digest): Promise<HeldManifest | undefined>;
  /**
   * Idempotent: the time it was stored stays, what was `gone` is there again. Also remembers what the manifest says of
   * its children, and of its subject.
   */
  put(repository: RepositoryKey, manifest: Manifest, atMs: number): Promise<void>;
  /** What this repository's manifests say of a digest: a blob's size beforehand. Nothing where they contradict each other. */
  described(repository: RepositoryKey, digest: Digest): Promise<Descriptor | undefined>;
  referrers(repository: RepositoryKey, subject: Digest): Promise<readonly Referrer[]>;
  /** The upstream no longer has it (`gone`), or has it again. What an index lists is evicted as late as the index. */
  mark(repository: RepositoryKey, digest: Digest, gone: boolean): Promise<void>;
  /** With the tags that point at it. True when it was held. */
  remove(repository: RepositoryKey, digest: Digest): Promise<boolean>;
}

export interface HeldManifest extends Descriptor {
  readonly bytes: Uint8Array;
  readonly storedAtMs: number;
}

export interface TagIndex {
  find(repository: RepositoryKey, tag: Tag): Promise<HeldTag | undefined>;
  /**
   * The upstream points the tag at a manifest that is not held yet. It replaces nothing: the tag moves there (checked
   * at `atMs`) in the transaction in which the repository comes to hold that manifest (`ManifestIndex.put`).
   */
  see(repository: RepositoryKey, tag: Tag, descriptor: Descriptor, atMs: number): Promise<void>;
  /**
   * Points a tag at a manifest that the repository holds; forgets what was seen before.
   * @throws RegistryError `MANIFEST_UNKNOWN` (origin `entrepot`) when it does not
   */
  point(repository: RepositoryKey, tag: Tag, digest: Digest, atMs: number): Promise<void>;
  /** The upstream vouched for `digest` at that time, so that what was seen is forgotten; 0 makes both due. */
  confirm(repository: RepositoryKey, tag: Tag, atMs: number): Promise<void>;
  /** Tags that point at a held manifest, in byte order. */
  list(repository: RepositoryKey, page: PageRequest): Promise<Page<Tag>>;
  remove(repository: RepositoryKey, tag: Tag): Promise<boolean>;
}

export interface HeldTag {
  /** The manifest that it points at, which is held; `undefined` while the tag has only been seen. */
  readonly digest: Digest | undefined;
  /** When the upstream last vouched for `digest`; 0 makes it due. */
  readonly checkedAtMs: number;
  /** Where the upstream pointed it, by a HEAD, at a manifest that is not held yet. */
  readonly seen: { readonly descriptor: Descriptor; readonly atMs: number } | undefined;
}

/** Which blobs rest in the store, and which repositories have earned them. */
export interface BlobIndex {
  /**
   * `member`: the upstream's repository itself has answered for it (or it was uploaded there). `public`: not that, but
   * a repository that is public has it. Otherwise `none`.
   */
  standing(repository: RepositoryKey, digest: Digest): Promise<'member' | 'public' | 'none'>;
  /** Repositories that it is a member of (64 at most): where it can be fetched again. */
  members(digest: Digest): Promise<readonly RepositoryKey[]>;
  addMember(repository: RepositoryKey, digest: Digest, atMs: number): Promise<void>;
  /** Its size in bytes, when it rests in the store. */
  stored(digest: Digest): Promise<number | undefined>;
  /** It rests in the store now. False, and nothing changed, when the lease is no longer the newest of its key. */
  store(digest: Digest, size: number, lease: Lease, atMs: number): Promise<boolean>;
  /** It no longer rests in the store. Memberships stay: they were earned. */
  forget(digest: Digest): Promise<void>;
  /** In the order of digests, for the scrub. */
  list(
    after: Digest | undefined,
    limit: number,
  ): Promise<readonly { readonly digest: Digest; readonly size: number }[]>;
}

/** The right to do what must happen once in the cluster. Epochs of a key only grow, also across releases. */
export interface LeaseIndex {
  /** `undefined` while somebody else's lease runs. Acquiring one's own running lease again is refused as well. */
  acquire(key: string, holder: string, ttlMs: number, nowMs: number): Promise<Lease | undefined>;
  /**
   * Prolongs it and publishes `state` to those who wait. False when it is no longer ours: stop, and write nothing. One
   * that expired without being taken is still ours.
   */
  renew(lease: Lease, state: string, ttlMs: number, nowMs: number): Promise<boolean>;
  /** Ends it; `state` stays readable for the next holder until then. */
  release(lease: Lease, state: string): Promise<void>;
  peek(key: string): Promise<LeaseView | undefined>;
  /** Those not released, by prefix of their keys: what an ended process left behind. */
  list(prefix: string): Promise<readonly LeaseView[]>;
  /** Forgets ended leases that ended before that time. */
  prune(beforeMs: number): Promise<void>;
}

export interface Lease {
  readonly key: string;
  readonly holder: string;
  readonly epoch: number;
}

export interface LeaseView extends Lease {
  readonly state: string;
  /** 0 once released. */
  readonly expiresAtMs: number;
}

/** What stays and what goes. The unit is a manifest of a repository with the blobs that only it refers to. */
export interface KeepingIndex {
  /** Bytes of blobs in the store that are not hosted content, kept up to date by every change. O(1). */
  heldBytes(): Promise<number>;
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
  readonly heldBytes: number;
}

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
  remove(repository: RepositoryKey, reference: Reference, isImmutable: (tag: Tag) => boolean): Promise<boolean>;
  /**
   * An upload has become a blob of the repository, which rests in the store. False, and nothing changed, when the lease
   * is no longer the newest of its key.
   */
  addBlob(repository: RepositoryKey, blob: PushedBlob, lease: Lease, atMs: number): Promise<boolean>;
  /** False when the blob does not rest in the store, or `from` has not earned it. */
  mountBlob(repository: RepositoryKey, from: RepositoryKey, digest: Digest, atMs: number): Promise<boolean>;
  /** `needed`, and nothing changed, while a manifest of the repository refers to it. */
  removeBlob(repository: RepositoryKey, digest: Digest): Promise<'removed' | 'absent' | 'needed'>;
}

export interface ManifestPush {
  readonly tags: readonly Tag[];
  isImmutable(tag: Tag): boolean;
  /** What the manifest refers to may be missing. */
  readonly sparse: boolean;
  readonly atMs: number;
}

export interface PushedBlob {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  /** It ends with this. */
  readonly upload: UploadId;
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
