import type { Signer } from './signer.ts';

/**
 * Two, so that who trusts this server's own name need not trust it with every other one's.
 *
 * - `server`: signs for our own names and addresses.
 * - `interception`: signs for the registries that clients reach through us.
 */
export type AuthorityKind = 'server' | 'interception';

export interface Authority {
  readonly kind: AuthorityKind;
  /** Signs from now on, until another one does. */
  signer(): Signer;
  /** All that clients have to trust: the one that signs, then one that is to take over, and one that it took over from. */
  trusted(): readonly Trusted[];
  /** Looks at its files again. On an error what was read before stays in use. */
  reload(): Promise<void>;
}

export interface Trusted {
  /** PEM */
  readonly root: string;
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
  /** From when on it signs, in milliseconds since the epoch; undefined where there is no other. */
  readonly signsFrom: number | undefined;
}

/** An authority of our own can be replaced in good order. */
export interface RenewableAuthority extends Authority {
  /** Makes a successor, which clients can be given from now on and which signs from then on. Again: the same one. */
  renew(signsFrom: number): Promise<Trusted>;
}

export function isRenewable(authority: Authority): authority is RenewableAuthority {
  return 'renew' in authority;
}
