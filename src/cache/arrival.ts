import { Assembly } from '../bytes/assembly.ts';
import type { Verified } from '../bytes/assembly.ts';
import { Blocks } from '../bytes/blocks.ts';
import type { Extent } from '../bytes/extents.ts';
import type { Growth } from '../bytes/growth.ts';
import { Recent } from '../bytes/recent.ts';
import type { LeaseView } from '../index/contract.ts';
import type { BlobReader, Lent } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobStore, Ingest, IngestName } from '../store/blob-store.ts';
import { formatState, ingestNameOf, parseState } from './download-state.ts';
import { fateOf } from './holder.ts';
import type { Fork } from './passage.ts';
import type { Target } from './intake.ts';

/** For the newest bytes of all that arrives in this process. */
const blocks = new Blocks();

/** The bytes of one blob as they arrive under one lease: an ingest that grows, and is hashed as it does. */
export class Arrival implements Target {
  readonly growth: Growth;
  /** Of its ingest: which file it is. */
  readonly name: IngestName;
  readonly #ingest: Ingest;
  readonly #assembly: Assembly;
  readonly #recent = new Recent(blocks);

  private constructor(digest: Digest, name: IngestName, ingest: Ingest, growth: Growth) {
    this.growth = growth;
    this.name = name;
    this.#ingest = ingest;
    this.#assembly = new Assembly(digest, growth, (into, position) => ingest.read(into, position));
  }

  static async begin(store: BlobStore, digest: Digest, epoch: number, growth: Growth): Promise<Arrival> {
    const name = ingestNameOf(digest, epoch);
    return new Arrival(digest, name, await store.ingest(name, 'new'), growth);
  }

  /**
   * Goes on with what the holder of an earlier lease left: one that ended in an orderly way, or whose process is gone
   * while its host ran on. What a reboot left was perhaps never synced; what a holder that may still live left may
   * still be written to.
   */
  static async resume(
    store: BlobStore,
    digest: Digest,
    left: LeaseView | undefined,
    expectedSize: number | undefined,
    grow: (size: number, extents: readonly Extent[]) => Growth,
  ): Promise<Arrival | undefined> {
    const state = left === undefined ? undefined : parseState(left.state);
    if (left === undefined || state?.size === undefined) return undefined;
    const fate = fateOf(left.holder);
    const isOver = left.expiresAtMs === 0 || fate !== 'unknown';
    if (!isOver) return undefined;
    const ingest = await store.ingest(state.ingest, 'resume');
    if (ingest === undefined) return undefined;
    const last = state.extents.at(-1)?.end ?? 0;
    const isThere = last === 0 || (await ingest.read(new Uint8Array(1), last - 1).catch(() => 0)) === 1;
    if (fate === 'rebooted' || !isThere || (expectedSize !== undefined && expectedSize !== state.size)) {
      await ingest[Symbol.asyncDispose]();
      return undefined;
    }
    return new Arrival(digest, state.ingest, ingest, grow(state.size, state.extents));
  }

  /** What is told to other processes, and to a successor. */
  get state(): string {
    const { size, extents } = this.growth;
    return formatState({ ingest: this.name, size: size === Infinity ? undefined : size, extents: extents.toJSON() });
  }

  /** Resolves when all is there and right; rejects with `DIGEST_INVALID` when it is wrong. */
  get verified(): Promise<Verified> {
    return this.#assembly.verified;
  }

  async write(chunk: Uint8Array, position: number): Promise<void> {
    await this.#ingest.write(chunk, position);
    if (this.growth.isCrowded) this.#recent.add(chunk, position);
    this.#assembly.add(chunk, position);
  }

  endAt(size: number): void {
    this.#assembly.endAt(size);
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#ingest.read(into, position);
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    return this.#ingest.readNow?.(into, position);
  }

  lend(position: number, lengthMax: number): Lent | undefined {
    const lent = this.#recent.lend(position, lengthMax);
    if (lent !== undefined || !this.growth.isCrowded) return lent;
    return this.#recent.lendAgain(position, lengthMax, (into, from) => this.readNow(into, from));
  }

  fork(): Fork {
    return this.#assembly.fork();
  }

  async commit(): Promise<BlobReader> {
    const content = await this.verified;
    this.#recent[Symbol.dispose]();
    return this.#ingest.commit(content);
  }

  suspend(): Promise<void> {
    this.#recent[Symbol.dispose]();
    return this.#ingest.suspend();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#recent[Symbol.dispose]();
    await this.#ingest[Symbol.asyncDispose]();
  }
}
