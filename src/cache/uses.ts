import { setImmediate } from 'node:timers/promises';
import type { KeepingIndex, Use } from '../index/contract.ts';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/** Uses are written this late at most, in milliseconds: losing them in a crash costs nothing but a little LRU order. */
const flushMs = 5_000;
const pendingMax = 20_000;
/** Written at once: other work has its turn between two transactions, and a use takes up to 0.1 ms in a large index. */
const batchMax = 20;
/** What was written down less than so many milliseconds ago is as good as now: what is popular costs one write a minute. */
const grainMs = 60_000;
/** Uses whose times are remembered; above it all are forgotten, and written down once more. */
const rememberedMax = 50_000;

/** Remembers what was used, and writes it in batches. */
export class Uses {
  readonly #keeping: KeepingIndex;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  readonly #writtenAtMs = new Map<string, number>();
  #pending = new Map<string, Use>();
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(keeping: KeepingIndex, clock: Clock, onFailure: (error: unknown) => void) {
    this.#keeping = keeping;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  note(repository: RepositoryKey, digest: Digest): void {
    const key = `${repository.upstream ?? ''} ${repository.name} ${digest}`;
    const atMs = this.#clock.now();
    if (Math.abs(atMs - (this.#writtenAtMs.get(key) ?? -Infinity)) < grainMs) return;
    const before = this.#pending.size;
    this.#pending.set(key, { repository, digest, atMs });
    if (before < pendingMax && this.#pending.size === pendingMax) this.#flushIn(0);
    else if (this.#timer === undefined) this.#flushIn(flushMs);
  }

  /** For one that is used again and again: nothing is looked up each time. */
  noting(repository: RepositoryKey, digest: Digest): (nowMs: number) => void {
    let notedAtMs = -Infinity;
    return (nowMs) => {
      if (Math.abs(nowMs - notedAtMs) < grainMs) return;
      notedAtMs = nowMs;
      this.note(repository, digest);
    };
  }

  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const uses = [...this.#pending];
    this.#pending = new Map();
    const writing = this.#writing.then(() => this.#write(uses));
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #write(uses: readonly (readonly [key: string, use: Use])[]): Promise<void> {
    for (let at = 0; at < uses.length; at += batchMax) {
      if (at > 0) await setImmediate();
      const batch = uses.slice(at, at + batchMax);
      await this.#keeping.touch(batch.map(([, use]) => use));
      if (this.#writtenAtMs.size > rememberedMax) this.#writtenAtMs.clear();
      for (const [key, { atMs }] of batch) this.#writtenAtMs.set(key, atMs);
    }
  }

  #flushIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => {
      this.flush().catch(this.#onFailure);
    });
  }
}
