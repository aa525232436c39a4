import { RegistryError } from '../../oci/errors.ts';

/** In bytes. */
const pageBytes = 64 * 1024;

/** What all content of one store takes together. */
export interface Budget {
  usedBytes: number;
  readonly bytesMax: number;
}

/** Content in memory that grows in any order. Pages are never moved, so reading needs no copy of the whole. */
export class Pages {
  readonly #budget: Budget;
  readonly #pages = new Map<number, Uint8Array>();
  #size = 0;
  #counted = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Up to the last byte that was written. */
  get size(): number {
    return this.#size;
  }

  /** @throws RegistryError `UNAVAILABLE` (origin `store`, code `ENOSPC`) when the budget does not allow it; then nothing was written */
  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#makePages(Math.floor(position / pageBytes), Math.ceil(end / pageBytes));
    for (let at = position; at < end;) {
      const offset = at % pageBytes;
      const length = Math.min(pageBytes - offset, end - at);
      this.#page(at).set(bytes.subarray(at - position, at - position + length), offset);
      at += length;
    }
    this.#size = Math.max(this.#size, end);
  }

  /** How many bytes were read: those of one page at most, 0 at the end. What was never written reads as zeros. */
  read(into: Uint8Array, position: number): number {
    const offset = position % pageBytes;
    const length = Math.min(into.length, pageBytes - offset, this.#size - position);
    if (length <= 0) return 0;
    const page = this.#pages.get(Math.floor(position / pageBytes));
    if (page === undefined) into.fill(0, 0, length);
    else into.set(page.subarray(offset, offset + length));
    return length;
  }

  /** Cuts it to that size and gives back to the budget what is beyond. */
  truncate(size: number): void {
    this.#size = Math.min(this.#size, size);
    const first = Math.ceil(this.#size / pageBytes);
    for (const number of this.#pages.keys()) {
      if (number >= first) this.#pages.delete(number);
    }
    this.#recount();
  }

  /** Gives everything back to the budget. Whoever still reads keeps the bytes. */
  release(): void {
    this.#budget.usedBytes -= this.#counted;
    this.#counted = 0;
  }

  #makePages(from: number, to: number): void {
    let missing = 0;
    for (let number = from; number < to; number += 1) missing += this.#pages.has(number) ? 0 : 1;
    const { usedBytes, bytesMax } = this.#budget;
    if (usedBytes + missing * pageBytes > bytesMax) throw full(bytesMax);
    for (let number = from; number < to; number += 1) {
      if (!this.#pages.has(number)) this.#pages.set(number, new Uint8Array(pageBytes));
    }
    this.#recount();
  }

  #recount(): void {
    this.release();
    this.#counted = this.#pages.size * pageBytes;
    this.#budget.usedBytes += this.#counted;
  }

  #page(position: number): Uint8Array {
    const page = this.#pages.get(Math.floor(position / pageBytes));
    if (page === undefined) throw new Error('a page that was just made is missing');
    return page;
  }
}

function full(bytesMax: number): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    `the store in memory is full (${bytesMax} bytes): lower cache.size, or use storage.filesystem`,
    { origin: 'store', detail: { code: 'ENOSPC' } },
  );
}
