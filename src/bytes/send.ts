import { RegistryError } from '../oci/errors.ts';
import type { ByteSource, Lent } from '../oci/blob.ts';
import type { BufferPool, BufferShare } from './buffer-pool.ts';

/** Positions in bytes; `end` is one past the last. `verified` holds back its end until the digest is known to be right. */
export interface Slice {
  /** Sent before the slice (multipart/byteranges). */
  readonly prefix: string;
  readonly start: number;
  readonly end: number;
  readonly verified: boolean;
}

/** Parts of one blob in the order given; `tail` ends the body. */
export interface BlobBody {
  readonly source: ByteSource;
  readonly slices: readonly Slice[];
  readonly tail: string;
}

/** Where the bytes go. */
export interface BodySink {
  /** Calls back once the bytes have left; they must not change before. With an error, nothing more can be sent. */
  write(bytes: Uint8Array | string, left: (error?: Error | null) => void): void;
  /** Aborts when the receiver has gone. */
  readonly gone: AbortSignal;
}

/** What of a clock is needed: milliseconds since some start. */
export interface Stopwatch {
  monotonic(): number;
}

/** So much is sent before the event loop goes around, in bytes. */
const atOnceBytesMax = 512 * 1024;

/**
 * The byte path. What the source has at once is read when the piece before it has left: one buffer, still warm, goes around.
 * Where reading takes time, the next piece is read while the last one is being written. A reader holds two buffers of the
 * pool and never more, however slow its client is; nothing is written before the first piece has been read.
 *
 * Resolves when the last byte has left. Always ends the source; when the receiver goes, at once.
 * @throws what the source threw, or the reason of `sink.gone`
 */
export async function sendBlob(body: BlobBody, sink: BodySink, pool: BufferPool, clock: Stopwatch): Promise<void> {
  await using source = body.source;
  using share = pool.join(clock.monotonic());
  using lane = new Lane(source, sink, share, clock);
  for (const slice of body.slices) await lane.send(slice);
  if (body.tail !== '') lane.write(body.tail);
  await lane.emptied();
}

/** Bytes of the content that are to be sent. */
interface Piece {
  readonly bytes: Uint8Array;
  /** @param sentBytes how many of them were */
  readonly letGo: (sentBytes: number) => void;
}

class Lane implements Disposable {
  readonly #source: ByteSource;
  readonly #sink: BodySink;
  readonly #share: BufferShare;
  readonly #clock: Stopwatch;
  /** Goes out before the next piece. */
  #prefix = '';
  /** Writes that have not left yet. */
  #leaving = 0;
  #failure: Error | undefined;
  /** Of whoever waits until all have left. */
  #settle: { resolve(): void; reject(reason: unknown): void } | undefined;
  #sentAtOnce = 0;
  /** What the source could not fill at once, for when it can. */
  #unfilled: Buffer | undefined;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(source: ByteSource, sink: BodySink, share: BufferShare, clock: Stopwatch) {
    this.#source = source;
    this.#sink = sink;
    this.#share = share;
    this.#clock = clock;
    sink.gone.addEventListener('abort', this.#onGone, { once: true });
  }

  /** Resolves when the last of it has been handed to the sink, at least. */
  async send({ prefix, start, end }: Slice): Promise<void> {
    this.#prefix = prefix;
    for (let position = start; position < end;) {
      position = await this.#sendReady(position, end);
      if (position < end) position += await this.#sendAwaited(position, end);
    }
  }

  /**
   * What the source has at once, a piece whenever the one before has left: where everything is in memory, nothing else is
   * waited for, and no promise made for a piece. Resolves to where that ended.
   */
  #sendReady(start: number, end: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    let position = start;
    const sendNext = (): void => {
      try {
        const piece = this.#ready(position, end);
        this.#settle = piece && { resolve: goOn, reject };
        if (piece === undefined) return resolve(position);
        position += piece.bytes.length;
        this.#writePiece(piece);
      } catch (error) {
        reject(error);
      }
    };
    const inTurn = (): void => {
      const turn = this.#share.turn(this.#clock.monotonic());
      if (turn === undefined) sendNext();
      else void turn.then(sendNext);
    };
    const goOn = (): void => {
      if (position >= end) return sendNext();
      if (this.#sentAtOnce < atOnceBytesMax) return inTurn();
      // A receiver that takes all that it is sent would have its whole blob before anybody else is even let in.
      this.#sentAtOnce = 0;
      setImmediate(inTurn);
    };
    goOn();
    return this.#unlessGone(promise);
  }

  /** `undefined` where it has to be waited for. */
  #ready(position: number, end: number): Piece | undefined {
    if (position >= end || this.#failure !== undefined || this.#sink.gone.aborted) return undefined;
    const lent = this.#source.lend?.(position, end - position);
    if (lent !== undefined) return this.#ofLent(lent);
    const buffer = this.#take();
    const length = this.#source.readNow?.(upTo(buffer, end - position), position);
    if (length !== undefined) return this.#of(buffer, length);
    this.#unfilled = buffer;
    return undefined;
  }

  #take(): Buffer {
    const buffer = this.#unfilled ?? this.#share.take();
    this.#unfilled = undefined;
    return buffer;
  }

  /** What others send, too, is sent from where it lies. */
  #ofLent({ bytes, letGo }: Lent): Piece {
    const sent = (sentBytes: number): void => {
      letGo();
      this.#share.count(sentBytes, this.#clock.monotonic());
    };
    return { bytes, letGo: sent };
  }

  #of(buffer: Buffer, length: number): Piece {
    return { bytes: upTo(buffer, length), letGo: (sentBytes) => this.#giveBack(buffer, sentBytes) };
  }

  /** The next piece, which is read while the one before is being written. Resolves to its length. */
  async #sendAwaited(position: number, end: number): Promise<number> {
    const buffer = this.#take();
    const reading = this.#source.read(upTo(buffer, end - position), position);
    let length;
    try {
      length = await this.#unlessGone(reading);
      if (length === 0) throw new RegistryError('UNKNOWN', endsEarly(position, end), { origin: 'store' });
      await this.emptied();
    } catch (error) {
      // A read that is still under way may yet write into the buffer.
      const unsent = (): void => this.#giveBack(buffer, 0);
      void reading.then(unsent, unsent);
      // What was written before is right, and of use: clients resume where they were cut off.
      await this.emptied().catch(() => {});
      throw error;
    }
    this.#writePiece(this.#of(buffer, length));
    return length;
  }

  #writePiece({ bytes, letGo }: Piece): void {
    const prefix = this.#prefix;
    this.#prefix = '';
    // Not all has left before the piece has.
    this.#leaving += 1;
    if (prefix !== '') this.write(prefix);
    this.#leaving -= 1;
    this.write(bytes, letGo);
  }

  /** @param done when the bytes have left: how many */
  write(bytes: Uint8Array | string, done?: (sentBytes: number) => void): void {
    this.#leaving += 1;
    this.#sentAtOnce += bytes.length;
    const left = (error?: Error | null): void => {
      this.#leaving -= 1;
      done?.(error ? 0 : bytes.length);
      if (error) this.#failure ??= error;
      if (error) this.#settle?.reject(error);
      else if (this.#leaving === 0) this.#settle?.resolve();
    };
    try {
      this.#sink.write(bytes, left);
    } catch (error) {
      this.#leaving -= 1;
      done?.(0);
      throw error;
    }
  }

  async emptied(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#leaving === 0) return this.#sink.gone.throwIfAborted();
    await this.#unlessGone(new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject })));
  }

  [Symbol.dispose](): void {
    this.#sink.gone.removeEventListener('abort', this.#onGone);
    if (this.#unfilled !== undefined) this.#giveBack(this.#unfilled, 0);
  }

  #giveBack(buffer: Buffer, sentBytes: number): void {
    this.#share.give(buffer, sentBytes, this.#clock.monotonic());
  }

  readonly #onGone = (): void => this.#interrupt?.(this.#sink.gone.reason);

  #unlessGone<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      if (this.#sink.gone.aborted) this.#onGone();
      // In any case: what becomes of the work later is heard, if only to be forgotten.
      work.then(resolve, reject);
    });
  }
}

function upTo(buffer: Buffer, length: number): Buffer {
  return length < buffer.length ? buffer.subarray(0, length) : buffer;
}

function endsEarly(position: number, end: number): string {
  return `the content ended at byte ${position}, before byte ${end}`;
}
