import type { DroppedBlob } from '../index/contract.ts';
import type { Digest } from '../oci/digest.ts';

/** What nobody needs any more goes, while the server runs. */
export interface Collect extends AsyncDisposable {
  /**
   * Collects now, in small steps; nothing happens between two of them until the next one is asked for. Whoever stops
   * asking ends the run, and the next one goes on.
   * @throws RegistryError `UNAVAILABLE` while another run is under way, in whichever process of this store
   */
  run(options: RunOptions): AsyncIterable<CollectStep>;
  /** What a run would do now; nothing happens. */
  preview(options: RunOptions): AsyncIterable<CollectStep>;
  /** How much would go, were it older: what nobody refers to and the time of grace still keeps. */
  waiting(): Promise<number>;
  /** Deletes blobs that left the index from the store, or leaves it to the next run; resolves to the bytes that this freed. */
  dispose(digests: readonly Digest[]): Promise<number>;
}

export interface RunOptions {
  /** Manifests without a tag go as well, however young they are. */
  readonly untagged: boolean;
}

export interface CollectStep {
  /** Without a tag, and let go. */
  readonly manifests: number;
  /** What was let go. */
  readonly blobs: readonly DroppedBlob[];
  /** What that freed in the store, or would free. What a run before could not delete is among it. */
  readonly freedBytes: number;
}

export interface CollectRules {
  /** What was pushed, mounted, pulled or asked for less than so many milliseconds ago stays. */
  readonly graceMs: number;
  /** Manifests without a tag go after so many milliseconds; `undefined` keeps them. */
  readonly untaggedMs: number | undefined;
  /** Why nothing may be collected for now. */
  readonly notNow: string | undefined;
  /** Not only when an operator says so. */
  readonly byItself: boolean;
}
