import type { Growth } from '../bytes/growth.ts';
import type { BlobReader, Bytes } from '../oci/blob.ts';
import type { Fork } from './passage.ts';

/** Where a reader finds the bytes now; see the picture at `Download`. */
export type Phase =
  | { readonly kind: 'seeking' }
  | { readonly kind: 'growing'; readonly growth: Growth; readonly bytes: Bytes }
  | {
      readonly kind: 'unstored';
      readonly growth: Growth;
      readonly bytes: Bytes | undefined;
      readonly fork: Fork;
    }
  | { readonly kind: 'stored'; readonly blob: BlobReader }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: Error };
