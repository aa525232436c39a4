import type { KeepingIndex, Use } from '../index/contract.ts';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/** Uses are written this late at most, in milliseconds: losing them in a crash costs nothing but a little LRU order. */
const flushMs = 5_000;
const pendingMax = 20_000;

/** Remembers what was used, and writes it in batches. */
export class Uses {
  readonly #keeping: KeepingIndex;
  readonly #clock: Clock;
  readonly #onFailure: (error: unknown) => void;
  #pending = new Map<string, Use>();
  #timer: Timer | undefined;

  constructor(keeping: KeepingIndex, clock: Clock, onFailure: (error: unknown) => void) {
    this.#keeping = keeping;
    this.#clock = clock;
    this.#onFailure = onFailure;
  }

  note(repository: RepositoryKey, digest: Digest): void {
    const before = this.#pending.size;
    this.#pending.set(`${repository.upstream ?? ''} ${repository.name} ${digest}`, {
      repository,
      digest,
      atMs: this.#clock.now(),
    });
    if (before < pendingMax && this.#pending.size === pendingMax) this.#flushIn(0);
    else if (this.#timer === undefined) this.#flushIn(flushMs);
  }

  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const uses = [...this.#pending.values()];
    this.#pending = new Map();
    if (uses.length > 0) await this.#keeping.touch(uses);
  }

  #flushIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => {
      this.flush().catch(this.#onFailure);
    });
  }
}
