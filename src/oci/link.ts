import type { Digest } from './digest.ts';
import type { RepositoryName, Tag } from './reference.ts';

/**
 * One thing that a repository holds, or holds no longer: what `registry:2` knows by a file of its own, a link. A tag
 * without a digest, a manifest without bytes, and a layer that is not held, are gone.
 */
export type Link = { readonly repository: RepositoryName } & (
  | { readonly kind: 'layer'; readonly digest: Digest; readonly held: boolean }
  | { readonly kind: 'manifest'; readonly digest: Digest; readonly bytes: Uint8Array | undefined }
  | { readonly kind: 'tag'; readonly tag: Tag; readonly digest: Digest | undefined }
);
