import { setImmediate } from 'node:timers/promises';
import type { Collected, CollectionPage, Lease, RemovedManifests } from '../index/contract.ts';
import { takeLease } from '../index/take-lease.ts';
import type { BlobReader } from '../oci/blob.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { CollectStep } from './contract.ts';
import { Disposal } from './disposal.ts';
import type { DisposalContext } from './disposal.ts';

export interface RunContext extends DisposalContext {
  /** What was touched since stays. */
  readonly beforeMs: number;
  /** The same for manifests without a tag; `undefined` keeps them. */
  readonly untaggedBeforeMs: number | undefined;
  /** Others want this process, too: it rests most of the time. */
  readonly paced: boolean;
  readonly signal: AbortSignal;
}

/** One run at a time among all processes of a store; a step takes much less. In milliseconds. */
const leaseMs = 60_000;
const nothing: CollectStep = { manifests: 0, blobs: [], freedBytes: 0 };
export const runKey = 'collect';
/** Blobs a step: between two of them, whoever waits to be served has his turn. */
const stepBlobs = 16;
/** Manifests looked at in a step. */
const stepManifests = 64;
/** A step is followed by so many times its duration of rest, but no longer than this. */
const restTimes = 3;
const restMsMax = 1_000;

/** One collection, from the first step to the last. */
export class Run {
  readonly #context: RunContext;
  readonly #disposal: Disposal;

  constructor(context: RunContext) {
    this.#context = context;
    this.#disposal = new Disposal(context);
  }

  async *steps(): AsyncGenerator<CollectStep> {
    const { index, clock } = this.#context;
    const lease = await takeLease(this.#context, runKey, leaseMs);
    if (lease === undefined) throw busy();
    try {
      const steps = this.#all();
      for (;;) {
        const beganMs = clock.monotonic();
        const { value, done } = await steps.next();
        if (done === true) return;
        const tookMs = clock.monotonic() - beganMs;
        yield value;
        if (!(await this.#goesOn(lease, tookMs))) return;
      }
    } finally {
      await index.leases.release(lease, String(clock.now()));
    }
  }

  /** What `steps` would do, tried on a copy. */
  async *preview(): AsyncGenerator<CollectStep> {
    const { store } = this.#context;
    const find = (digest: Digest): Promise<BlobReader | undefined> => store.find(digest);
    await using index = await this.#context.index.collection.rehearse();
    const tried = new Run({ ...this.#context, index, store: { find, delete: async () => true } });
    for await (const step of tried.#all()) {
      yield step;
      if (this.#context.signal.aborted) return;
      await setImmediate();
    }
  }

  /** First what a run before, or an eviction, did not come to delete. */
  async *#all(): AsyncGenerator<CollectStep, undefined> {
    const { beforeMs, index } = this.#context;
    const { collection } = index;
    for (let after: Digest | undefined; ;) {
      const left = await collection.discards(after, stepBlobs);
      if (left.length > 0) yield { ...nothing, freedBytes: await this.#dispose(left) };
      if (left.length < stepBlobs) break;
      after = left.at(-1);
    }
    yield* this.#untagged();
    yield* this.#pages((page) => collection.collect(beforeMs, page));
    return undefined;
  }

  async *#pages(collect: (page: CollectionPage) => Promise<Collected>): AsyncGenerator<CollectStep> {
    for (let after: string | undefined; ;) {
      const { next, blobs } = await collect({ after, limit: stepBlobs });
      yield { ...nothing, blobs, freedBytes: await this.#dispose(blobs.map(({ digest }) => digest)) };
      if (next === undefined) return;
      after = next;
    }
  }

  /** False when it has to end: somebody closes, or has taken over. */
  async #goesOn(lease: Lease, tookMs: number): Promise<boolean> {
    const { index, clock, paced, signal } = this.#context;
    const restMs = paced ? Math.min(tookMs * restTimes, restMsMax) : 0;
    await (restMs === 0 ? setImmediate() : clock.sleep(restMs, signal).catch(() => {}));
    return !signal.aborted && (await index.leases.renew(lease, '', leaseMs, clock.now()));
  }

  /** Round by round: what an index listed is looked at again once that is gone. */
  async *#untagged(): AsyncGenerator<CollectStep> {
    const { index, untaggedBeforeMs } = this.#context;
    if (untaggedBeforeMs === undefined) return;
    for (let removed = 1; removed > 0;) {
      removed = 0;
      for (let after: string | undefined; ;) {
        const page = { after, limit: stepManifests };
        const { next, manifests }: RemovedManifests = await index.collection.removeUntagged(untaggedBeforeMs, page);
        removed += manifests;
        yield { ...nothing, manifests };
        if (next === undefined) break;
        after = next;
      }
    }
  }

  async #dispose(digests: readonly Digest[]): Promise<number> {
    let freed = 0;
    for (const digest of digests) freed += await this.#disposal.dispose(digest);
    return freed;
  }
}

function busy(): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'a collection is under way already: wait for its end, and look into the log',
    {
      origin: 'entrepot',
    },
  );
}
