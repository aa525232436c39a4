import type { Identity } from '../upstream/contract.ts';

/** Whether the upstream would answer both alike. */
export function isSame(one: Identity, other: Identity): boolean {
  return suffixOf(one) === suffixOf(other);
}

/** Work in different names is different work: what one client is refused is no answer for another. */
export function suffixOf(identity: Identity): string {
  return typeof identity === 'object' ? `:${identity.id}` : '';
}
