import { setImmediate as nextTurn } from 'node:timers/promises';
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
  for (const slice of body.slices) {
    let prefix = slice.prefix;
    for (let position = slice.start; position < slice.end; prefix = '') {
      position += await lane.sendPiece(prefix, position, slice.end);
    }
  }
  if (body.tail !== '') lane.write(body.tail);
  await lane.emptied();
}

class Lane implements Disposable {
  readonly #source: ByteSource;
  readonly #sink: BodySink;
  readonly #share: BufferShare;
  readonly #clock: Stopwatch;
  /** Writes that have not left yet. */
  #leaving = 0;
  #failure: Error | undefined;
  /** Of whoever waits until all have left. */
  #settle: { resolve(): void; reject(reason: unknown): void } | undefined;
  #sentAtOnce = 0;
  /** The last read took time: the next one is begun before its turn. */
  #ahead = false;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(source: ByteSource, sink: BodySink, share: BufferShare, clock: Stopwatch) {
    this.#source = source;
    this.#sink = sink;
    this.#share = share;
    this.#clock = clock;
    sink.gone.addEventListener('abort', this.#onGone, { once: true });
  }

  /** Returns how many bytes of the content were sent, or rather: are being sent. */
  async sendPiece(prefix: string, position: number, end: number): Promise<number> {
    if (!this.#ahead) await this.emptied();
    await this.#letOthers();
    this.#sink.gone.throwIfAborted();
    const lent = this.#source.lend?.(position, end - position);
    if (lent !== undefined) return this.#sendLent(prefix, lent);
    const buffer = this.#share.take();
    const piece = end - position < buffer.length ? buffer.subarray(0, end - position) : buffer;
    const now = this.#source.readNow?.(piece, position);
    const count = now ?? (await this.#readAhead(buffer, piece, position, end));
    this.#ahead = now === undefined;
    if (prefix !== '') this.write(prefix);
    const sent = count < piece.length ? piece.subarray(0, count) : piece;
    this.write(sent, (sentBytes) => this.#giveBack(buffer, sentBytes));
    return count;
  }

  /** What others send, too, is sent from where it lies. */
  #sendLent(prefix: string, { bytes, letGo }: Lent): number {
    this.#ahead = false;
    if (prefix !== '') this.write(prefix);
    this.write(bytes, (sentBytes) => {
      letGo();
      this.#share.count(sentBytes, this.#clock.monotonic());
    });
    return bytes.length;
  }

  async #readAhead(buffer: Buffer, piece: Buffer, position: number, end: number): Promise<number> {
    const reading = this.#source.read(piece, position);
    try {
      const count = await this.#unlessGone(reading);
      if (count === 0) throw new RegistryError('UNKNOWN', endsEarly(position, end), { origin: 'store' });
      await this.emptied();
      return count;
    } catch (error) {
      // A read that is still under way may yet write into the buffer.
      const unsent = (): void => this.#giveBack(buffer, 0);
      void reading.then(unsent, unsent);
      // What was written before is right, and of use: clients resume where they were cut off.
      await this.emptied().catch(() => {});
      throw error;
    }
  }

  /** @param done when the bytes have left: how many */
  write(bytes: Uint8Array | string, done?: (sentBytes: number) => void): void {
    this.#leaving += 1;
    this.#sentAtOnce += bytes.length;
    this.#sink.write(bytes, (error) => {
      this.#leaving -= 1;
      done?.(error ? 0 : bytes.length);
      if (error) this.#failure ??= error;
      if (error) this.#settle?.reject(error);
      else if (this.#leaving === 0) this.#settle?.resolve();
    });
  }

  /** A receiver that takes all that it is sent would have its whole blob before anybody else is even let in. */
  async #letOthers(): Promise<void> {
    await this.#share.turn(this.#clock.monotonic());
    if (this.#sentAtOnce < atOnceBytesMax) return;
    this.#sentAtOnce = 0;
    await nextTurn();
  }

  async emptied(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#leaving === 0) return this.#sink.gone.throwIfAborted();
    await this.#unlessGone(new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject })));
  }

  [Symbol.dispose](): void {
    this.#sink.gone.removeEventListener('abort', this.#onGone);
  }

  #giveBack(buffer: Buffer, sentBytes: number): void {
    this.#share.give(buffer, sentBytes, this.#clock.monotonic());
  }

  readonly #onGone = (): void => this.#interrupt?.(this.#sink.gone.reason);

  #unlessGone<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#sink.gone.aborted) return reject(this.#sink.gone.reason);
      this.#interrupt = reject;
      work.then(resolve, reject);
    });
  }
}

function endsEarly(position: number, end: number): string {
  return `the content ended at byte ${position}, before byte ${end}`;
}
