import type { Identity } from '../upstream/contract.ts';
import type { Policy } from './freshness.ts';

/** Whether the upstream would answer both alike. */
export function isSame(one: Identity, other: Identity): boolean {
  return suffixOf(one) === suffixOf(other);
}

/** Work in different names is different work: what one client is refused is no answer for another. */
export function suffixOf(identity: Identity): string {
  return typeof identity === 'object' ? `:${identity.id}` : '';
}

/** A refusal of a client's own credentials is its own: nothing is kept for it that it may not have, and nothing is gone. */
export function policyFor(as: Identity, policy: Policy): Policy {
  return typeof as === 'object' ? { ...policy, keep: { notfound: false, denied: false } } : policy;
}
