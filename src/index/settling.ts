import type { Digest } from '../oci/digest.ts';

/**
 * The lease of whoever puts a blob that was pushed into its place, or takes one that nothing refers to away: between what
 * the store holds and what the index says of it, nobody else comes.
 */
export function settlingKeyOf(digest: Digest): string {
  return `${settlingPrefix}${digest}`;
}

export const settlingPrefix = 'settle:';

/** The lease of whoever downloads a blob, or takes it away. */
export function downloadKeyOf(digest: Digest): string {
  return `${downloadKeyPrefix}${digest}`;
}

export const downloadKeyPrefix = 'blob:';
