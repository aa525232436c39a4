import type { Digest } from './digest.ts';
import type { ManifestContent } from './manifest.ts';
import type { Tag } from './reference.ts';
import type { RepositoryKey } from './repository.ts';

/** Something that happened in a repository, as others are told of it. */
export type Change =
  | {
      readonly action: 'push' | 'pull';
      readonly kind: 'manifest';
      readonly manifest: Omit<ManifestContent, 'bytes'> & { readonly bytes: Uint8Array | undefined };
      /** By which it was asked for. */
      readonly tag: Tag | undefined;
    }
  | { readonly action: 'push' | 'pull'; readonly kind: 'blob'; readonly digest: Digest; readonly size: number }
  | {
      readonly action: 'mount';
      readonly kind: 'blob';
      readonly digest: Digest;
      readonly size: number;
      readonly from: RepositoryKey;
    }
  | { readonly action: 'delete'; readonly kind: 'manifest' | 'blob'; readonly digest: Digest }
  | { readonly action: 'delete'; readonly kind: 'tag'; readonly tag: Tag };
