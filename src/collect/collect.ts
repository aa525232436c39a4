import { touchGrainMs } from '../index/collection-contract.ts';
import type { Observer } from '../observe/events.ts';
import { Recurring } from '../observe/recurring.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Collect, CollectRules, CollectStep, RunOptions } from './contract.ts';
import { Disposal } from './disposal.ts';
import type { DisposalContext } from './disposal.ts';
import { Run, runKey } from './run.ts';

export interface CollectOptions extends DisposalContext {
  readonly observer: Observer;
  /** Asked anew for every run. */
  readonly rules: () => CollectRules;
  /** From one run to the next, about, in milliseconds; `Infinity` leaves it to operators. */
  readonly everyMs: number;
  /** Nobody is being served from the store: without rest, and without grace. */
  readonly alone?: boolean;
  /** In [0, 1): several processes, and several servers of one disk, do not begin at once. */
  readonly random: () => number;
}

export function createCollect(options: CollectOptions): Collect {
  return new TheCollect(options);
}

class TheCollect implements Collect {
  readonly #options: CollectOptions;
  readonly #disposal: Disposal;
  readonly #closing = new AbortController();
  readonly #recurring: Recurring | undefined;

  constructor(options: CollectOptions) {
    this.#options = options;
    this.#disposal = new Disposal(options);
    const { everyMs, clock, observer } = options;
    if (everyMs === Infinity) return;
    const pauseMs = (): number => Math.round(everyMs * (0.5 + options.random() / 2));
    const task = { name: 'collection', firstAfterMs: pauseMs(), pauseMs, run: () => this.#runByItself() };
    this.#recurring = new Recurring(task, clock, observer);
  }

  async *run(options: RunOptions): AsyncGenerator<CollectStep> {
    const { notNow } = this.#options.rules();
    if (notNow !== undefined) throw new RegistryError('UNSUPPORTED', notNow, { origin: 'operator' });
    const { clock, observer } = this.#options;
    const beganMs = clock.monotonic();
    const total = { manifests: 0, blobs: 0, bytes: 0 };
    let began = false;
    try {
      for await (const step of this.#run(options).steps()) {
        began = true;
        total.manifests += step.manifests;
        total.blobs += step.blobs.length;
        total.bytes += step.freedBytes;
        yield step;
      }
    } finally {
      if (began) observer.emit({ type: 'collect.ended', ...total, ms: clock.monotonic() - beganMs });
    }
  }

  preview(options: RunOptions): AsyncIterable<CollectStep> {
    return this.#run(options).preview();
  }

  waiting(): Promise<number> {
    return this.#options.index.collection.waiting(this.#beforeMs());
  }

  async dispose(digests: readonly Digest[]): Promise<number> {
    if (this.#options.rules().notNow !== undefined) return 0;
    let freed = 0;
    for (const digest of digests) freed += await this.#disposal.dispose(digest);
    return freed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#recurring?.[Symbol.asyncDispose]();
  }

  /** Once for all processes of a store: another one's run counts. */
  async #runByItself(): Promise<void> {
    const { index, clock, everyMs, rules } = this.#options;
    if (rules().notNow !== undefined || !rules().byItself) return;
    const last = await index.leases.peek(runKey);
    if (last !== undefined && (last.expiresAtMs > clock.now() || Number(last.state) > clock.now() - everyMs / 2))
      return;
    for await (const _ of this.run({ untagged: false }));
  }

  #run({ untagged }: RunOptions): Run {
    const { clock, rules, alone = false } = this.#options;
    const { untaggedMs } = rules();
    const untaggedBeforeMs = untaggedMs === undefined ? undefined : clock.now() - untaggedMs - touchGrainMs;
    return new Run({
      ...this.#options,
      beforeMs: this.#beforeMs(),
      untaggedBeforeMs: untagged ? clock.now() + 1 : untaggedBeforeMs,
      paced: !alone,
      signal: this.#closing.signal,
    });
  }

  /** What was touched is written down to a grain only. */
  #beforeMs(): number {
    const { clock, rules, alone = false } = this.#options;
    return alone ? clock.now() + 1 : clock.now() - rules().graceMs - touchGrainMs;
  }
}
