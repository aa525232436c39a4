/**
 * A limit on bytes a second that any number of transfers may share.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Each transfer asks for one piece at a time and is served in the order of asking, so transfers that share a limit get
 * equal shares. Time is real here: a bandwidth is about the kernel's sockets, which know no fake clock.
 */
export class Throttle {
  /** How much to ask for at once: a fiftieth of a second's worth. */
  readonly pieceBytes: number;
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.pieceBytes = Math.max(1, Math.round(bytesPerSecond / 50));
  }

  /** Resolves when this many bytes may be sent. */
  async take(bytes: number): Promise<void> {
    const now = performance.now();
    // Being late by up to a piece is made up for, so that the timer's grain does not lower the rate.
    this.#freeAt = Math.max(this.#freeAt, now - 20) + bytes / this.#bytesPerMs;
    const wait = this.#freeAt - now;
    if (wait > 0) await sleep(wait);
  }
}
