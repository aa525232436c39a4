import { readSync } from 'node:fs';
import type { Clock } from '../../observe/clock.ts';

/** What tells whether a read had to wait for a disk. */
export interface ReadWatch {
  /** Milliseconds since some start. */
  monotonic(): number;
  /** Reads from a disk that this process has waited for so far (getrusage(2), `ru_inblock`). */
  diskReads(): number;
}

export function readWatch(clock: Pick<Clock, 'monotonic'>): ReadWatch {
  return { monotonic: () => clock.monotonic(), diskReads: () => process.resourceUsage().fsRead };
}

/** A read that takes longer either came from a disk or was interrupted by another process, in milliseconds. */
const slowMs = 1;
/** One that takes longer was slow whatever the reason: not every file system counts what it reads. */
const verySlowMs = 50;
/** After a slow read so many times its own duration pass before the next try. */
const pauseFactor = 20;

/**
 * Reads on the thread that serves everybody. What the kernel holds in memory, which is most of what is served, is copied
 * in less time than it takes to wake another thread and to hear of it; what must come from a disk would hold up everybody.
 * The kernel does not say beforehand which it will be, so each read is timed: after a slow one, other threads read for
 * twenty times as long as that one took. However slow the disk is, a twentieth of the time is lost to it.
 */
export class PromptReads {
  readonly #watch: ReadWatch;
  #pausedUntilMs = 0;
  #diskReads: number;

  constructor(watch: ReadWatch) {
    this.#watch = watch;
    this.#diskReads = watch.diskReads();
  }

  /** How many bytes were read; `undefined` for none: it is no time for it, the file ends there, or it failed. */
  read(descriptor: number, into: Uint8Array, length: number, position: number): number | undefined {
    const startedMs = this.#watch.monotonic();
    if (startedMs < this.#pausedUntilMs) return undefined;
    try {
      return readSync(descriptor, into, 0, length, position) || undefined;
    } catch {
      return undefined;
    } finally {
      const endedMs = this.#watch.monotonic();
      const tookMs = endedMs - startedMs;
      if (tookMs > slowMs && this.#waitedForDisk(tookMs)) this.#pausedUntilMs = endedMs + pauseFactor * tookMs;
    }
  }

  #waitedForDisk(tookMs: number): boolean {
    const before = this.#diskReads;
    this.#diskReads = this.#watch.diskReads();
    return this.#diskReads > before || tookMs > verySlowMs;
  }
}
