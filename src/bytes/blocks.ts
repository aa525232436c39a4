/** In bytes; a power of two. */
export const blockBytes: number = 256 * 1024;
/** 8 MiB. */
const blocksMaxDefault = 32;

/** A bounded number of pieces of memory of one size, for bytes that have just arrived. */
export class Blocks {
  readonly #max: number;
  readonly #free: Buffer[] = [];
  #made = 0;

  constructor(max: number = blocksMaxDefault) {
    this.#max = max;
  }

  /** `undefined` while all are in the hands of others. */
  take(): Buffer | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#made === this.#max) return free;
    this.#made += 1;
    return Buffer.allocUnsafeSlow(blockBytes);
  }

  give(memory: Buffer): void {
    this.#free.push(memory);
  }
}
