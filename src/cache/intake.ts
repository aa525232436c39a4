import { Blocks } from '../bytes/blocks.ts';
import { Gathering } from '../bytes/gathering.ts';
import type { Growth } from '../bytes/growth.ts';
import { letGo } from '../bytes/let-go.ts';
import type { Clock } from '../observe/clock.ts';
import type { Claim } from './claims.ts';

/** Where the bytes go. `write` resolves once they can be read. */
export interface Target {
  readonly growth: Growth;
  write(chunk: Uint8Array, position: number): Promise<void>;
  /** The upstream ended without having said the size. */
  endAt(size: number): void;
}

/** For what is gathered, to be written in one piece, of all that arrives in this process. */
const blocks = new Blocks();

/** The bytes of one claim as an answer brings them. The claim is moved on by what can be read, not by what has come. */
export class Intake {
  readonly #claim: Claim;
  readonly #written: () => void;
  readonly #gathering: Gathering;
  #target: Target | undefined;
  #position: number | undefined;

  /** @param written called when more of it can be read */
  constructor(claim: Claim, clock: Clock, written: () => void) {
    this.#claim = claim;
    this.#written = written;
    this.#gathering = new Gathering((bytes, position) => this.#put(bytes, position), blocks, clock);
  }

  /** Of the next byte to come. */
  get position(): number {
    return this.#position ?? this.#claim.position;
  }

  /**
   * Resolves when more may come. What is there already stays as it is: it may have been hashed, or read. The chunk is given
   * away: nobody else may read it afterwards.
   */
  async take(target: Target, chunk: Uint8Array): Promise<void> {
    this.#target = target;
    const from = this.position;
    const to = Math.min(from + chunk.length, this.#claim.end);
    const { extents } = target.growth;
    for (let gap = extents.gapFrom(from, to); gap !== undefined; gap = extents.gapFrom(gap.end, to)) {
      await this.#gathering.add(chunk.subarray(gap.start - from, gap.end - from), gap.start);
    }
    this.#position = Math.max(from, to);
    if (this.#gathering.isEmpty) this.#claim.position = this.#position;
    letGo(chunk);
  }

  /** Resolves when all that came can be read. */
  async end(): Promise<void> {
    await this.#gathering.flush();
    this.#claim.position = Math.max(this.#claim.position, this.position);
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    await this.#target?.write(bytes, position);
    this.#claim.position = position + bytes.length;
    this.#written();
  }
}
