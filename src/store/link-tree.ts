import type { Digest } from '../oci/digest.ts';
import type { Link } from '../oci/link.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { BlobStore } from './blob-store.ts';

/**
 * An extra power: the store keeps what repositories hold in the form in which `registry:2` keeps it, so that either can go
 * on with what the other has left. What cannot be understood is told, and left alone.
 */
export interface LinkTree {
  /** Brings the store to say so; all of it is durable when it resolves. A manifest's content comes to rest with it. */
  writeLinks(links: readonly Link[]): Promise<void>;
  /** False where nobody has kept links yet: that they say nothing means nothing then. */
  hasLinks(): Promise<boolean>;
  /** Whatever there are links of, in no order. */
  linkedRepositories(told: Told): AsyncIterable<RepositoryName>;
  /** Says whether the links of a repository are as they were; `undefined` when it has none. Reads no link. */
  fingerprint(repository: RepositoryName): Promise<string | undefined>;
  /** What its links say, whether or not the content is there. */
  readLinks(repository: RepositoryName, told: Told): Promise<RepositoryLinks>;
  /** Of what one of its links tells, at once: where a tag points, or the digest itself where it is held. */
  readLink(repository: RepositoryName, place: LinkPlace): Promise<Digest | undefined>;
  /** Digests of whatever seems to rest in the store, in their order, in pieces of a few thousand. */
  restingDigests(): AsyncIterable<readonly Digest[]>;
}

/** Which link of a repository: there is one for each layer, manifest and tag. */
export type LinkPlace =
  | { readonly kind: 'layer' | 'manifest'; readonly digest: Digest }
  | { readonly kind: 'tag'; readonly tag: Tag };

export interface RepositoryLinks {
  readonly layers: ReadonlySet<Digest>;
  readonly manifests: ReadonlySet<Digest>;
  readonly tags: ReadonlyMap<Tag, Digest>;
  /** Layers, manifests and tags of which something is there that says nothing. */
  readonly unclear: ReadonlySet<string>;
  /** False when there may be more: part of it cannot be read. */
  readonly whole: boolean;
}

export type Told = (trouble: LinkTrouble) => void;

export interface LinkTrouble {
  /** The file or directory. */
  readonly path: string;
  readonly reason: string;
  /** There may be repositories behind it. */
  readonly hides?: boolean;
}

export function hasLinkTree(store: BlobStore): store is BlobStore & LinkTree {
  return 'writeLinks' in store;
}
