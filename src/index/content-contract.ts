import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Manifest } from '../oci/manifest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Page, PageRequest, Referrer, RepositoryKey } from '../oci/repository.ts';
import type { Lease } from './leases-contract.ts';

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
