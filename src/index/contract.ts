import type { AdoptionIndex } from './adoption-contract.ts';
import type { CollectionIndex } from './collection-contract.ts';
import type { ManifestIndex, TagIndex, BlobIndex } from './content-contract.ts';
import type { HostedIndex, UploadIndex, ClaimIndex } from './hosted-contract.ts';
import type { KeepingIndex, PinIndex } from './keeping-contract.ts';
import type { LeaseIndex } from './leases-contract.ts';
import type { NoticeIndex } from './notices-contract.ts';
import type { OutboxIndex } from './outbox-contract.ts';
import type { ProofIndex } from './proofs-contract.ts';
import type { RepositoryIndex } from './repositories-contract.ts';

export type * from './adoption-contract.ts';
export type * from './collection-contract.ts';
export type * from './content-contract.ts';
export type * from './hosted-contract.ts';
export type * from './keeping-contract.ts';
export type * from './leases-contract.ts';
export type * from './notices-contract.ts';
export type * from './outbox-contract.ts';
export type * from './proofs-contract.ts';
export type * from './repositories-contract.ts';

/**
 * What we know about content. One SQL schema behind it; no SQL outside this room. Times are milliseconds since the
 * epoch and always an input: the index has no clock. Every call is one transaction.
 *
 * Every driver passes `test/contracts/index.ts`.
 */
export interface Index extends AsyncDisposable {
  /** Another number whenever what was read may have changed since; `undefined` where nobody can tell. */
  version(): number | undefined;
  /** What is wrong with it until an operator does something, as far as was seen; `undefined` when nothing is. */
  problem(): string | undefined;
  readonly manifests: ManifestIndex;
  readonly tags: TagIndex;
  readonly blobs: BlobIndex;
  readonly leases: LeaseIndex;
  readonly keeping: KeepingIndex;
  readonly collection: CollectionIndex;
  readonly pins: PinIndex;
  readonly repositories: RepositoryIndex;
  readonly hosted: HostedIndex;
  readonly uploads: UploadIndex;
  readonly claims: ClaimIndex;
  readonly notices: NoticeIndex;
  readonly outbox: OutboxIndex;
  readonly adoption: AdoptionIndex;
  readonly proofs: ProofIndex;
}
