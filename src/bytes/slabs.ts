import { pageMemory } from './page-memory.ts';

/**
 * Memory cut in halves, and halves of halves, and put together again (a buddy allocator). Large pieces of memory that come
 * and go by themselves would stay in the process long after they are free: the garbage collector sees no hurry, and the C
 * allocator keeps what it got back. Here nothing is ever freed but whole slabs.
 */
export class Slabs {
  readonly #slabBytes: number;
  readonly #unitBytes: number;
  readonly #shared: boolean;
  readonly #slabs = new Map<ArrayBufferLike, Slab>();
  /**
   * Free pieces by size: `#free[level]` holds those of `unitBytes * 2 ** level`. The last that came goes first: it is what
   * the processor's cache still has.
   */
  readonly #free: readonly Piece[][];
  #lentBytes = 0;

  /**
   * @param slabBytes, unitBytes powers of two: the largest and the smallest piece
   * @param shared threads may read it, and it begins at a page
   */
  constructor(slabBytes: number, unitBytes: number, shared: boolean) {
    this.#slabBytes = slabBytes;
    this.#unitBytes = unitBytes;
    this.#shared = shared;
    this.#free = Array.from({ length: Math.log2(slabBytes / unitBytes) + 1 }, () => []);
  }

  get lentBytes(): number {
    return this.#lentBytes;
  }

  get heldBytes(): number {
    return this.#slabs.size * this.#slabBytes;
  }

  /** A piece of `bytes`, a power of two; a smaller one rather than hold more than `limitBytes`, the smallest in any case. */
  take(bytes: number, limitBytes: number): Buffer {
    const wanted = Math.log2(bytes / this.#unitBytes);
    const piece = this.#pieceFrom(wanted) ?? this.#newSlab(wanted, limitBytes) ?? this.#smallerPiece(wanted);
    const buffer = piece.slab.memory.subarray(piece.start, piece.start + this.#unitBytes * 2 ** piece.level);
    this.#lentBytes += buffer.length;
    return buffer;
  }

  give(buffer: Buffer): void {
    const slab = this.#slabs.get(buffer.buffer);
    if (slab === undefined) throw new Error('a buffer was given back that was not lent');
    this.#lentBytes -= buffer.length;
    this.#release({ slab, start: buffer.byteOffset, level: Math.log2(buffer.length / this.#unitBytes), at: 0 });
  }

  /** Lets go of slabs that are free as a whole, until no more than `limitBytes` are held. */
  shrink(limitBytes: number): void {
    const whole = this.#free.at(-1);
    while (this.heldBytes > limitBytes) {
      const piece = whole?.[0];
      if (piece === undefined) return;
      this.#claim(piece);
      this.#slabs.delete(piece.slab.memory.buffer);
    }
  }

  /** The smallest free piece that is large enough, cut down to size. */
  #pieceFrom(wanted: number): Piece | undefined {
    for (let level = wanted; level < this.#free.length; level += 1) {
      const piece = this.#free[level]?.at(-1);
      if (piece === undefined) continue;
      this.#claim(piece);
      return this.#cut(piece, wanted);
    }
    return undefined;
  }

  #newSlab(wanted: number, limitBytes: number): Piece | undefined {
    if (this.heldBytes + this.#slabBytes > limitBytes && this.#free.some(({ length }) => length > 0)) return undefined;
    const level = this.heldBytes + this.#slabBytes > limitBytes ? 0 : wanted;
    // Its own memory, at offset 0: a piece's place in the slab is its place in the memory.
    const memory = this.#shared ? pageMemory(this.#slabBytes) : Buffer.allocUnsafeSlow(this.#slabBytes);
    const slab: Slab = { memory, free: new Map() };
    this.#slabs.set(slab.memory.buffer, slab);
    return this.#cut({ slab, start: 0, level: this.#free.length - 1, at: 0 }, level);
  }

  #smallerPiece(wanted: number): Piece {
    for (let level = wanted - 1; level >= 0; level -= 1) {
      const piece = this.#pieceFrom(level);
      if (piece !== undefined) return piece;
    }
    throw new Error('impossible: something was free');
  }

  #cut(piece: Piece, wanted: number): Piece {
    const { slab, start } = piece;
    while (piece.level > wanted) {
      piece.level -= 1;
      this.#offer({ slab, start: start + this.#unitBytes * 2 ** piece.level, level: piece.level, at: 0 });
    }
    return piece;
  }

  /** Joins it with its other half as long as that is free, too. */
  #release(piece: Piece): void {
    while (piece.level < this.#free.length - 1) {
      const size = this.#unitBytes * 2 ** piece.level;
      const half = piece.slab.free.get(piece.start ^ size);
      if (half === undefined || half.level !== piece.level) break;
      this.#claim(half);
      piece.start = Math.min(piece.start, half.start);
      piece.level += 1;
    }
    this.#offer(piece);
  }

  #offer(piece: Piece): void {
    const free = this.#free[piece.level] ?? [];
    piece.at = free.length;
    free.push(piece);
    piece.slab.free.set(piece.start, piece);
  }

  #claim(piece: Piece): void {
    piece.slab.free.delete(piece.start);
    const free = this.#free[piece.level] ?? [];
    const last = free.pop();
    if (last === undefined || last === piece) return;
    free[piece.at] = last;
    last.at = piece.at;
  }
}

interface Slab {
  readonly memory: Buffer;
  /** Its free pieces by where they start. */
  readonly free: Map<number, Piece>;
}

interface Piece {
  readonly slab: Slab;
  start: number;
  level: number;
  /** Its place among the free ones of its size, while it is one of them. */
  at: number;
}
