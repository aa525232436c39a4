/** The right to do what must happen once in the cluster. Epochs of a key only grow, also across releases. */
export interface LeaseIndex {
  /** `undefined` while somebody else's lease runs. Acquiring one's own running lease again is refused as well. */
  acquire(key: string, holder: string, ttlMs: number, nowMs: number): Promise<Lease | undefined>;
  /**
   * Prolongs it and publishes `state` to those who wait. False when it is no longer ours: stop, and write nothing. One
   * that expired without being taken is still ours.
   */
  renew(lease: Lease, state: string, ttlMs: number, nowMs: number): Promise<boolean>;
  /** Ends it; `state` stays readable for the next holder until then. */
  release(lease: Lease, state: string): Promise<void>;
  /** Ends it, and nothing stays readable. */
  forget(lease: Lease): Promise<void>;
  peek(key: string): Promise<LeaseView | undefined>;
  /** Those not released, by prefix of their keys: what an ended process left behind. */
  list(prefix: string): Promise<readonly LeaseView[]>;
  /** Forgets ended leases that ended before that time. */
  prune(beforeMs: number): Promise<void>;
}

export interface Lease {
  readonly key: string;
  readonly holder: string;
  readonly epoch: number;
}

export interface LeaseView extends Lease {
  readonly state: string;
  /** 0 once released. */
  readonly expiresAtMs: number;
}
