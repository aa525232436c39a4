import type { ProcessGroup } from './process-group.ts';
import { median, MIB } from './statistics.ts';

/** Looks at a server's memory while something else goes on. */
export class MemoryWatch implements Disposable {
  readonly #mebibytes: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(group: ProcessGroup, everyMs: number) {
    const look = (): unknown => this.#mebibytes.push(group.anonymousBytes() / MIB);
    look();
    this.#timer = setInterval(look, everyMs);
  }

  get peak(): number {
    return this.#mebibytes.reduce((peak, value) => Math.max(peak, value), 0);
  }

  /** From the second quarter of the time, when everything has been used once, to the last. */
  get growth(): number {
    const quarter = Math.floor(this.#mebibytes.length / 4);
    return median(this.#mebibytes.slice(-quarter)) - median(this.#mebibytes.slice(quarter, 2 * quarter));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
