import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { HashThread } from '../bytes/hash-thread.ts';
import type { UploadsConfig } from '../config/config.ts';
import type { Index, Notice } from '../index/contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import type { Change } from '../oci/change.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { Ask, Asker, RepositoryKey } from '../oci/repository.ts';
import type { BlobStore } from '../store/blob-store.ts';

export interface HostedOptions {
  readonly store: BlobStore;
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  /** This process, told so that another one can see whether it still lives. */
  readonly holder: string;
  /** A process that certainly writes nothing any more. */
  readonly isGone: (holder: string) => boolean;
  /** Asked anew for every change, so that a reload takes effect at once. */
  readonly rules: () => HostedRules;
  readonly uploads: () => UploadsConfig;
  /** What to tell others of a change, to be written with it. */
  readonly noticesOf: (change: Change, ask: Ask) => readonly Notice[];
  /** @throws RegistryError when the asker may not read it */
  readonly mayRead: (asker: Asker, key: RepositoryKey, reference: Reference | undefined) => Promise<unknown>;
  /** Whether the asker may pull a blob from it. An upstream is asked only about what it showed to anybody long ago. */
  readonly mayMount: (asker: Asker, key: RepositoryKey, digest: Digest) => Promise<boolean>;
}

export interface HostedRules {
  /** Of `repository:tag`. */
  readonly isImmutable: (image: string) => boolean;
  /** Manifests may refer to what the repository does not have. */
  readonly sparse: boolean;
  /** Manifests without a tag stay only while somebody asks for them, which is written down therefore. */
  readonly untaggedGo: boolean;
  /** Clients may delete. */
  readonly deletes: boolean;
  /** Nothing changes. */
  readonly readOnly: boolean;
  /** Layers may be fetched from there. */
  readonly mayHoldUrl: (url: string) => boolean;
  /** Of `os/architecture`: a manifest that an index lists for it. */
  readonly mustBeThere: (platform: string) => boolean;
}

export interface HostedContext extends HostedOptions {
  /** For what is being received. */
  readonly pool: BufferPool;
  readonly thread: HashThread;
}
