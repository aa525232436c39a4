import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { Reference, Tag } from '../oci/reference.ts';
import type { Answer, Ask, Repository, RepositoryKey } from '../oci/repository.ts';

/** The cache as the rooms above see it. */
export interface Cache extends AsyncDisposable {
  /** A repository of an upstream, through the cache. Throws RegistryError `UPSTREAM_UNKNOWN` for an unknown upstream. */
  repository(key: RepositoryKey): Repository;
  /** What is arriving now. */
  downloads(): readonly DownloadView[];
  /** Fetches an image whole, with its children of the platforms asked for (all when empty), and reports as it goes. */
  warm(key: RepositoryKey, reference: Reference, options: WarmOptions): Promise<WarmReport>;
  /** Asks the upstream now where a tag points, however fresh it is. */
  refresh(key: RepositoryKey, tag: Tag, ask: Ask): Promise<Answer<Descriptor> | undefined>;
  /** Forgets a tag, a manifest, or (without a reference) the whole repository, and what only they referred to. */
  purge(key: RepositoryKey, reference: Reference | undefined): Promise<PurgeReport>;
}

/** Sizes and positions in bytes. */
export interface DownloadView {
  readonly key: RepositoryKey;
  readonly digest: Digest;
  readonly size: number | undefined;
  readonly arrived: number;
  readonly readers: number;
  readonly state: string;
}

export interface WarmOptions {
  /** `os/architecture[/variant]`. */
  readonly platforms: readonly string[];
  /** What is held is read again; what is wrong is put aside and fetched anew. */
  readonly verify: boolean;
  readonly ask: Ask;
  onProgress(progress: WarmProgress): void;
}

export interface WarmProgress {
  readonly digest: Digest;
  readonly what: 'manifest' | 'blob';
  readonly size: number;
  readonly done: number;
}

export interface WarmReport {
  readonly digest: Digest;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly fetchedBytes: number;
  /** Blobs that were held and were not what their digests say; only where they were to be verified. */
  readonly damaged: number;
  /** What was there to be served, and is not held in the end. */
  readonly unkept: readonly UnkeptPart[];
}

export interface UnkeptPart {
  readonly digest: Digest;
  readonly what: 'manifest' | 'blob';
  /** In bytes. */
  readonly size: number;
  /** Ends with what to do. */
  readonly reason: string;
}

export interface PurgeReport {
  readonly manifests: number;
  readonly tags: number;
  readonly blobs: number;
  readonly bytes: number;
}
