import type { Digest } from '../oci/digest.ts';

/** Proof that content of this digest and size was hashed whole. Only `Assembly` makes one. */
export interface Verified {
  readonly digest: Digest;
  readonly size: number;
}
