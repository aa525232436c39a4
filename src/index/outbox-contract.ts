import type { Link } from '../oci/link.ts';

/**
 * What has changed in hosted repositories and is not written to the store as links yet. Every change enters itself, in its
 * own transaction, whoever makes it: a push, a delete, a collection.
 */
export interface OutboxIndex {
  /** The oldest entries, at least one where there are any: what changed, as it is now. */
  pending(limit: number): Promise<readonly OutboxEntry[]>;
  /** They are written. What has changed again since `pending` stays. */
  settle(entries: readonly OutboxEntry[]): Promise<void>;
  /** Called when something may have been entered by way of this index; what other processes enter is theirs to write. */
  onEntered(listener: () => void): void;
}

export interface OutboxEntry {
  /** Grows with every change. */
  readonly sequence: number;
  readonly link: Link;
}
