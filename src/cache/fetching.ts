import type { Extent } from '../bytes/extents.ts';
import { Growth } from '../bytes/growth.ts';
import type { Lease } from '../index/contract.ts';
import { isIndexFailure } from '../index/remember.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { Arrival } from './arrival.ts';
import type { DownloadContext } from './download.ts';
import type { Following } from './following.ts';
import { forkAtStart, hashOn } from './fork.ts';
import { EpochLost } from './publishing.ts';
import type { Stage } from './stage.ts';
import type { Tenure } from './tenure.ts';
import type { Target } from './intake.ts';
import { OtherSize, Transfer } from './transfer.ts';
import type { Sources } from './sources.ts';

export interface Wanted {
  readonly digest: Digest;
  readonly sources: Sources;
  /** Whose repository has earned the blob once it was answered. */
  readonly key: RepositoryKey;
  /** In bytes, where a manifest tells. */
  readonly expectedSize: number | undefined;
}

/** What the holder of the lease does: from the upstream into an ingest, and from there into the store. */
export class Fetching {
  readonly #wanted: Wanted;
  readonly #context: DownloadContext;
  readonly #stage: Stage;
  readonly #following: Following;
  readonly #closing: AbortSignal;
  #transfer: Transfer | undefined;
  #arrival: Arrival | undefined;

  /** @param closing aborts when what has arrived is to be left to a successor */
  constructor(wanted: Wanted, context: DownloadContext, stage: Stage, following: Following, closing: AbortSignal) {
    this.#wanted = wanted;
    this.#context = context;
    this.#stage = stage;
    this.#following = following;
    this.#closing = closing;
    closing.addEventListener('abort', () => this.#transfer?.stop(closing.reason as Error), { once: true });
  }

  async run(tenure: Tenure): Promise<void> {
    const { lease, left } = tenure;
    const { digest, expectedSize } = this.#wanted;
    const grow = (size: number, extents: readonly Extent[]): Growth => this.#growth(size, extents);
    const resumed = await Arrival.resume(this.#context.store, digest, left, expectedSize, grow);
    if (await this.#following.part(resumed?.name)) {
      await this.#stage.letGo(resumed?.suspend());
      return tenure.release(left?.state ?? '');
    }
    if (resumed !== undefined) this.#arrive(resumed);
    this.#stage.tell(resumed === undefined ? 'started' : 'resumed');
    const begin = (size: number | undefined): Promise<Target> => this.#begin(lease, this.#growth(size ?? Infinity, []));
    const transfer = this.#transferTo(resumed === undefined ? undefined : this.#targetOf(resumed), begin);
    tenure.publish(
      () => this.#context.publishMs(),
      () => this.#arrival?.state ?? '',
      (reason) => transfer.stop(reason),
    );
    try {
      const outcome = await transfer.run();
      if (outcome === 'complete') await this.#arrival?.verified;
    } catch (error) {
      return this.#brokeOff(error, tenure);
    }
    if (this.#arrival === undefined) this.#stage.become({ kind: 'absent' });
    else await this.#commit(this.#arrival, lease);
    // Those who follow learn from the state that it was this ingest that was stored.
    if (this.#stage.phase.kind === 'stored') await tenure.release(this.#arrival?.state ?? '');
  }

  /** The index is of no use: nothing can be kept that it knows nothing of. Whoever asks is served all the same. */
  async pass(reason: RegistryError): Promise<void> {
    const begin = (size: number | undefined): Promise<never> =>
      this.#refuse(this.#growth(size ?? Infinity, []), reason);
    try {
      await this.#transferTo(undefined, begin).run();
      this.#stage.become({ kind: 'absent' });
    } catch (error) {
      if (!this.#stage.isOver) throw error;
      await this.#keepUnstored('index', reason);
    }
  }

  /** It rests in the store: the index is told, and that the source has earned it, if it has. */
  async record(blob: BlobReader, lease: Lease): Promise<void> {
    const { index, clock } = this.#context;
    const { digest, key } = this.#wanted;
    await index.blobs.store(digest, blob.size, lease, clock.now());
    this.#stage.indexed = true;
    if (this.#stage.earned) await index.blobs.addMember(key, digest, clock.now());
  }

  /** Once nobody reads from it any more. */
  async closeFile(): Promise<void> {
    const arrival = this.#arrival;
    this.#arrival = undefined;
    await this.#stage.letGo(arrival?.[Symbol.asyncDispose]());
  }

  #growth(size: number, extents: readonly Extent[]): Growth {
    return new Growth(size, extents, () => this.#transfer?.pump(), this.#context.clock);
  }

  #transferTo(target: Target | undefined, begin: (size: number | undefined) => Promise<Target>): Transfer {
    const { digest, sources, expectedSize } = this.#wanted;
    this.#transfer = new Transfer(digest, sources, expectedSize, target, begin, this.#context.clock);
    // Suspended while it was looking around: there was no transfer to be stopped yet.
    if (this.#closing.aborted) this.#transfer.stop(this.#closing.reason as Error);
    return this.#transfer;
  }

  /** The upstream has answered: the content can be served from now on, if only straight from there. */
  async #begin(lease: Lease, growth: Growth): Promise<Target> {
    this.#stage.earned = true;
    try {
      using room = await this.#context.makeRoom(growth.size === Infinity ? 0 : growth.size);
      if (room === undefined) {
        const reason = 'the cache has no room for it: raise cache.size, or free space on its disk';
        throw new RegistryError('UNAVAILABLE', reason, { origin: 'store', detail: { code: 'NOROOM' } });
      }
      const arrival = await Arrival.begin(this.#context.store, this.#wanted.digest, lease.epoch, growth);
      this.#arrive(arrival);
      this.#stage.open(growth.size);
      return this.#targetOf(arrival);
    } catch (error) {
      return this.#refuse(growth, error);
    }
  }

  async #refuse(growth: Growth, reason: unknown): Promise<never> {
    this.#stage.earned = true;
    const fork = forkAtStart(this.#wanted.digest);
    if (growth.size !== Infinity) this.#stage.become({ kind: 'unstored', growth, bytes: undefined, fork });
    throw reason;
  }

  #arrive(arrival: Arrival): void {
    this.#arrival = arrival;
    this.#stage.become({ kind: 'growing', growth: arrival.growth, bytes: arrival });
  }

  /** What was resumed is served only once the upstream has sent more of it, or all of it turned out to be there. */
  #targetOf(arrival: Arrival): Target {
    return {
      growth: arrival.growth,
      write: async (chunk, position) => {
        this.#stage.earned = true;
        await arrival.write(chunk, position);
        this.#stage.open(arrival.growth.size);
      },
      endAt: (size) => arrival.endAt(size),
    };
  }

  async #commit(arrival: Arrival, lease: Lease): Promise<void> {
    arrival.growth.verify();
    this.#stage.open(arrival.growth.size);
    try {
      const blob = await arrival.commit();
      await this.record(blob, lease);
      this.#stage.become({ kind: 'stored', blob });
      this.#stage.tell('stored');
    } catch (error) {
      await this.#keepUnstored('commit', error);
    }
  }

  async #brokeOff(error: unknown, tenure: Tenure): Promise<void> {
    const failure = error instanceof RegistryError ? error : undefined;
    if ((failure?.origin === 'store' || isIndexFailure(error)) && this.#stage.phase.kind !== 'seeking') {
      await this.#keepUnstored(isIndexFailure(error) ? 'index' : 'write', error);
      if (this.#stage.isOver) return;
      throw error;
    }
    if (error instanceof EpochLost || error instanceof OtherSize) return this.#makeWay(error);
    // Failed first, so that nobody joins what is being closed.
    this.#stage.fail(error, this.#closing.aborted ? 'suspended' : 'failed');
    if (failure?.code === 'DIGEST_INVALID') return this.closeFile();
    // Until the release it is told of as before: who follows would take its absence for the end of these bytes.
    await this.#stage.letGo(this.#arrival?.suspend());
    await tenure.release(this.#arrival?.state ?? '');
    this.#arrival = undefined;
  }

  /** What has arrived is of no use any more: somebody else writes now, or it was never of this blob. */
  async #makeWay(reason: Error): Promise<void> {
    if (this.#stage.readers > 0) await this.#serveOn(reason.message);
    if (this.#stage.isOver) return;
    this.#stage.become({ kind: 'seeking' });
    await this.closeFile();
  }

  async #keepUnstored(operation: string, error: unknown): Promise<void> {
    this.#stage.storeFailed(operation, error);
    await this.#serveOn(messageOf(error));
  }

  /**
   * It will not be kept; who is being served keeps being served, from what was written as far as it goes. Nobody is while
   * the size is not known.
   */
  async #serveOn(reason: string): Promise<void> {
    const { phase } = this.#stage;
    this.#stage.unkept(reason);
    if (phase.kind !== 'growing' || this.#arrival === undefined || phase.growth.size === Infinity) return;
    const { growth, bytes } = phase;
    const fork = await hashOn(this.#wanted.digest, this.#arrival.fork(), growth, bytes);
    this.#stage.become({ kind: 'unstored', growth, bytes, fork });
  }
}
