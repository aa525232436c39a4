import { blockBytes } from './blocks.ts';
import type { Blocks } from './blocks.ts';

/** What of a clock is needed: milliseconds. */
export interface Pace {
  /** Since some start. */
  monotonic(): number;
  setTimer(ms: number, run: () => void): { cancel(): void };
}

/** Nobody waits for longer than so for bytes that are here, in milliseconds. */
export const gatherMs = 10;

/** Puts bytes where they are kept; they may be reused once it resolves. */
export type Put = (bytes: Uint8Array, position: number) => Promise<void>;

/**
 * Puts bytes that come one after the other where they are kept, in few and even writes: whatever of a block came within a
 * moment goes there at once, and ends where the block does. The kernel keeps a file in pieces as large as the writes that
 * made it, and reading out of small ones costs twice as much (docs/decisions/0037). What comes slowly is put there as it
 * comes, and so is everything while there is no memory to gather in.
 */
export class Gathering {
  readonly #put: Put;
  readonly #blocks: Blocks;
  readonly #pace: Pace;
  #held: Held | undefined;
  /** The last write; the next begins after it. */
  #writing: Promise<void> = Promise.resolve();
  #wroteAtMs = -Infinity;

  constructor(put: Put, blocks: Blocks, pace: Pace) {
    this.#put = put;
    this.#blocks = blocks;
    this.#pace = pace;
  }

  /** All that came is where it is kept, or on its way there. */
  get isEmpty(): boolean {
    return this.#held === undefined;
  }

  /**
   * Resolves when more may come; the bytes are not needed any more then.
   * @throws what `put` threw, for these bytes or those before
   */
  async add(bytes: Uint8Array, position: number): Promise<void> {
    const held = this.#held;
    if (held !== undefined && held.start + held.length !== position) void this.flush();
    await this.#writing;
    for (let done = 0; done < bytes.length;) done += await this.#addSome(bytes.subarray(done), position + done);
  }

  /**
   * Resolves when all that came is where it is kept.
   * @throws what `put` threw
   */
  flush(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return this.#writing;
    this.#held = undefined;
    held.timer.cancel();
    this.#writing = this.#write(held.memory.subarray(0, held.length), held.start).finally(() =>
      this.#blocks.give(held.memory),
    );
    // Whoever adds or flushes next is told.
    this.#writing.catch(() => {});
    return this.#writing;
  }

  /** Returns how many of the bytes it took. */
  async #addSome(bytes: Uint8Array, position: number): Promise<number> {
    const held = (this.#held ??= this.#hold(position));
    if (held === undefined) {
      await this.#write(bytes, position);
      return bytes.length;
    }
    const piece = bytes.subarray(0, held.lengthMax - held.length);
    held.memory.set(piece, held.length);
    held.length += piece.length;
    if (held.length === held.lengthMax) await this.flush();
    return piece.length;
  }

  #hold(position: number): Held | undefined {
    if (this.#pace.monotonic() - this.#wroteAtMs > gatherMs) return undefined;
    const memory = this.#blocks.take();
    if (memory === undefined) return undefined;
    const timer = this.#pace.setTimer(gatherMs, () => void this.flush());
    return { memory, start: position, length: 0, lengthMax: blockBytes - (position % blockBytes), timer };
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    await this.#put(bytes, position);
    this.#wroteAtMs = this.#pace.monotonic();
  }
}

interface Held {
  readonly memory: Buffer;
  /** Of the first byte, in the content. */
  readonly start: number;
  length: number;
  /** Up to the end of the block that it began in. */
  readonly lengthMax: number;
  readonly timer: { cancel(): void };
}
