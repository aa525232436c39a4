import type { Lent } from '../oci/blob.ts';
import type { Blocks } from './blocks.ts';

/** As `readNow` of `Bytes`. */
type ReadNow = (into: Uint8Array, position: number) => number | undefined;

interface Block {
  readonly memory: Buffer;
  /** Positions of the content: it holds those from `start` to before `end`. */
  readonly start: number;
  end: number;
  lent: number;
  /** It is given back when nobody has it any more. */
  dropped: boolean;
}

/**
 * The newest bytes of content that grows, kept in memory for a crowd of readers: reading them from the file once for each
 * reader would cost a third of what sending them does. Where the crowd has fallen behind, its first reader brings them in
 * again for the others. What a reader does not find here it reads from the file.
 */
export class Recent implements Disposable {
  readonly #pool: Blocks;
  /** The oldest first. */
  readonly #blocks: Block[] = [];
  #isOver = false;

  constructor(pool: Blocks) {
    this.#pool = pool;
  }

  /** They are copied. */
  add(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length;) {
      const block = this.#blockAt(position + done);
      if (block === undefined) return;
      const used = block.end - block.start;
      const piece = bytes.subarray(done, done + block.memory.length - used);
      block.memory.set(piece, used);
      block.end += piece.length;
      done += piece.length;
    }
  }

  /** Some of the bytes from `position` on, at most `lengthMax`; `undefined` when they are not here. */
  lend(position: number, lengthMax: number): Lent | undefined {
    const block = this.#blocks.findLast(({ start, end }) => start <= position && position < end);
    return block === undefined || lengthMax <= 0 ? undefined : this.#lendOf(block, position, lengthMax);
  }

  /** The same of bytes that are not here any more: one reader reads them back for all. */
  lendAgain(position: number, lengthMax: number, readNow: ReadNow): Lent | undefined {
    const memory = lengthMax > 0 ? this.#free() : undefined;
    if (memory === undefined) return undefined;
    const length = readNow(memory.subarray(0, lengthMax), position);
    if (length === undefined) {
      this.#pool.give(memory);
      return undefined;
    }
    const block: Block = { memory, start: position, end: position + length, lent: 0, dropped: false };
    this.#blocks.push(block);
    return this.#lendOf(block, position, lengthMax);
  }

  #lendOf(block: Block, position: number, lengthMax: number): Lent {
    const from = position - block.start;
    block.lent += 1;
    return {
      bytes: block.memory.subarray(from, Math.min(from + lengthMax, block.end - block.start)),
      letGo: () => {
        block.lent -= 1;
        this.#giveBack(block);
      },
    };
  }

  /** What is still being written comes too late to be kept here. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const block of this.#blocks.splice(0)) this.#drop(block);
  }

  /** One that goes on there, or an empty one; `undefined` while all memory is in the hands of others. */
  #blockAt(position: number): Block | undefined {
    const growing = this.#blocks.find(({ start, end, memory }) => end === position && end - start < memory.length);
    if (growing !== undefined) return growing;
    const memory = this.#free();
    if (memory === undefined) return undefined;
    const block: Block = { memory, start: position, end: position, lent: 0, dropped: false };
    this.#blocks.push(block);
    return block;
  }

  #free(): Buffer | undefined {
    return this.#isOver ? undefined : (this.#pool.take() ?? this.#oldest());
  }

  #oldest(): Buffer | undefined {
    const at = this.#blocks.findIndex(({ lent }) => lent === 0);
    return at < 0 ? undefined : this.#blocks.splice(at, 1)[0]?.memory;
  }

  #drop(block: Block): void {
    block.dropped = true;
    this.#giveBack(block);
  }

  #giveBack({ memory, lent, dropped }: Block): void {
    if (dropped && lent === 0) this.#pool.give(memory);
  }
}
