import type { Hash } from 'node:crypto';
import { withheldBytes } from '../bytes/growth.ts';
import { algorithmOf, digestOfHash, startHash } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import type { ByteSource } from '../oci/blob.ts';
import { asError, RegistryError } from '../oci/errors.ts';
import type { Source } from './sources.ts';

/** How much may arrive ahead of the reader, in bytes. */
const queuedBytesMax = 512 * 1024;
const attemptsMax = 5;

/** A hash of everything before `position`. */
export interface Fork {
  readonly position: number;
  readonly hash: Hash;
}

/** What is to be brought. */
export interface Load {
  readonly digest: Digest;
  /** In bytes. */
  readonly size: number;
  readonly source: Source;
  /** Told when the content turns out not to be what its digest says. */
  onLie(reason: string): void;
}

/**
 * A blob on its way from the upstream to one reader, resting nowhere: for a store that is full or broken, and for what
 * is larger than the cache may be. Reads go forward; a reader that jumps begins anew where it lands.
 */
export class Passage implements ByteSource {
  readonly #load: Load;
  readonly #fork: Fork | undefined;
  #flow: Flow | undefined;

  /**
   * @param fork where a reader that must have verified content goes on hashing, or begins from the start if he is behind
   * it: what is hashed already need not be what the upstream sends now. Without it nothing is verified
   */
  constructor(load: Load, fork: Fork | undefined) {
    this.#load = load;
    this.#fork = fork;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    if (position >= this.#load.size) return 0;
    const flow = this.#flowTo(position);
    await flow.moveTo(position);
    return flow.take(into);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flow?.stop();
  }

  #flowTo(position: number): Flow {
    if (this.#flow !== undefined && position >= this.#flow.position) {
      // What is hashed must be read, too; otherwise what lies between is not worth more than another request.
      if (this.#fork !== undefined || position - this.#flow.position <= queuedBytesMax) return this.#flow;
    }
    this.#flow?.stop();
    this.#flow = new Flow(this.#load, this.#flow === undefined, ...this.#beginning(position));
    return this.#flow;
  }

  #beginning(position: number): [start: number, hash: Hash | undefined] {
    if (this.#fork === undefined) return [position, undefined];
    if (this.#fork.position > position) return [0, startHash(algorithmOf(this.#load.digest))];
    return [this.#fork.position, this.#fork.hash.copy()];
  }
}

/** One forward run: a short queue between the upstream, which is held back, and the reader, who waits. */
class Flow {
  /** The next byte to hand out. */
  position: number;
  readonly #load: Load;
  readonly #hash: Hash | undefined;
  readonly #abort = new AbortController();
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #arrived: number;
  #cold: boolean;
  #verified = false;
  #failure: Error | undefined;
  #changed = Promise.withResolvers<void>();

  /** @param cold its reader has nothing of the blob yet */
  constructor(load: Load, cold: boolean, start: number, hash: Hash | undefined) {
    this.position = start;
    this.#arrived = start;
    this.#cold = cold;
    this.#load = load;
    this.#hash = hash;
    this.#run().catch((error: unknown) => this.#fail(error));
  }

  async take(into: Uint8Array): Promise<number> {
    const ready = await this.#ready();
    const length = Math.min(ready.length, into.length);
    into.set(ready.subarray(0, length));
    this.#drop(length);
    return length;
  }

  /** Drops what comes before the position, in whole chunks. */
  async moveTo(position: number): Promise<void> {
    while (this.position < position) {
      const ready = await this.#ready();
      this.#drop(Math.min(ready.length, position - this.position));
    }
  }

  stop(): void {
    const reason = new Error('the reader left');
    this.#abort.abort(reason);
    this.#fail(reason);
  }

  /** Of the first chunk what may be handed out, once that is something. */
  async #ready(): Promise<Uint8Array> {
    for (;;) {
      const first = this.#queue[0];
      const allowed = this.#handOutEnd() - this.position;
      if (first !== undefined && allowed > 0) return first.subarray(0, allowed);
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed.promise;
    }
  }

  #handOutEnd(): number {
    return this.#hash === undefined || this.#verified ? this.#load.size : this.#load.size - withheldBytes;
  }

  /** Of the first chunk. */
  #drop(bytes: number): void {
    const [first] = this.#queue;
    if (first === undefined || bytes === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(bytes);
    this.position += bytes;
    this.#queuedBytes -= bytes;
    this.#change();
  }

  async #run(): Promise<void> {
    for (let attempts = 0; this.#arrived < this.#load.size;) {
      const before = this.#arrived;
      const failure = await this.#attempt();
      this.#abort.signal.throwIfAborted();
      attempts = this.#arrived > before ? 0 : attempts + 1;
      if (attempts >= attemptsMax) throw failure;
    }
    this.#verify();
  }

  /** Resolves to why it ended, which is of interest only if there is more to come. */
  async #attempt(): Promise<unknown> {
    try {
      const found = await this.#fetch();
      if (!found) return new RegistryError('UPSTREAM_FAILED', 'the upstream no longer has what it was sending');
      return new RegistryError('UPSTREAM_INVALID', `the upstream ended at byte ${this.#arrived} of ${this.#load.size}`);
    } catch (error) {
      return error;
    }
  }

  #fetch(): Promise<boolean> {
    const end = this.#arrived === 0 ? undefined : this.#load.size;
    let skip = 0;
    const { repository, direct = false } = this.#load.source;
    return repository.blob(
      this.#load.digest,
      {
        start: this.#arrived,
        end,
        etag: undefined,
        signal: this.#abort.signal,
        direct,
        cold: this.#cold,
        paced: true,
      },
      {
        head: (head) => {
          skip = this.#arrived - head.start;
          return true;
        },
        data: (chunk) => {
          const skipped = Math.min(skip, chunk.length);
          skip -= skipped;
          if (skipped < chunk.length && this.#arrived === this.#load.size) return false;
          return this.#arrive(chunk.subarray(skipped, skipped + this.#load.size - this.#arrived));
        },
      },
      this.#load.source.identity,
    );
  }

  #arrive(chunk: Uint8Array): boolean | Promise<boolean> {
    if (chunk.length > 0) {
      this.#hash?.update(chunk);
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.length;
      this.#arrived += chunk.length;
      this.#cold = false;
      this.#change();
    }
    return this.#mayGoOn || this.#untilRead();
  }

  /** What follows the last byte is nothing that could be held back. */
  get #mayGoOn(): boolean {
    return this.#queuedBytes <= queuedBytesMax || this.#arrived === this.#load.size;
  }

  /** Resolves once the reader has taken enough, to false when he has left. */
  async #untilRead(): Promise<boolean> {
    while (!this.#mayGoOn && !this.#abort.signal.aborted) await this.#changed.promise;
    return !this.#abort.signal.aborted;
  }

  #verify(): void {
    if (this.#hash !== undefined) {
      const digest = digestOfHash(algorithmOf(this.#load.digest), this.#hash);
      if (digest !== this.#load.digest) {
        const reason = `the content has digest ${digest}, not ${this.#load.digest}`;
        this.#load.onLie(reason);
        throw new RegistryError('UPSTREAM_INVALID', reason);
      }
    }
    this.#verified = true;
    this.#change();
  }

  #fail(error: unknown): void {
    this.#failure ??= asError(error);
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
