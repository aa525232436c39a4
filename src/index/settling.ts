import type { Digest } from '../oci/digest.ts';

/**
 * The lease of whoever puts a blob that was pushed into its place, or takes one that nothing refers to away: between what
 * the store holds and what the index says of it, nobody else comes.
 */
export function settlingKeyOf(digest: Digest): string {
  return `settle:${digest}`;
}
