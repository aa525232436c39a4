import type { Link } from '../oci/link.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/**
 * What has changed in hosted repositories and is not written to the store as links yet. Every change enters itself, in its
 * own transaction, whoever makes it: a push, a delete, a collection.
 */
export interface OutboxIndex {
  /** The oldest entries, at least one where there are any: what changed, as it is now. */
  pending(limit: number, of?: OutboxPart): Promise<readonly OutboxEntry[]>;
  /** They are written. What has changed again since `pending` stays. */
  settle(entries: readonly OutboxEntry[]): Promise<void>;
  /** Called when something was entered by way of this index; what other processes enter is theirs to write. */
  onEntered(listener: () => void): void;
}

/** The entries of one repository, after a certain one. */
export interface OutboxPart {
  readonly key: RepositoryKey;
  readonly after: number;
}

export interface OutboxEntry {
  /** Grows with every change. */
  readonly sequence: number;
  readonly link: Link;
}
