import { RegistryError } from '../oci/errors.ts';
import type { ByteSource } from '../oci/blob.ts';
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

/**
 * The byte path. The next piece is read while the last one is being written, so that a reader holds two buffers of the
 * pool and never more, however slow its client is; nothing is written before the first piece has been read.
 *
 * Resolves when the last byte has left. Always ends the source; when the receiver goes, at once.
 * @throws what the source threw, or the reason of `sink.gone`
 */
export async function sendBlob(body: BlobBody, sink: BodySink, pool: BufferPool, clock: Stopwatch): Promise<void> {
  await using source = body.source;
  using share = pool.join(clock.monotonic());
  const lane = new Lane(source, sink, share, clock);
  for (const slice of body.slices) {
    let prefix = slice.prefix;
    for (let position = slice.start; position < slice.end; prefix = '') {
      position += await lane.sendPiece(prefix, position, slice.end);
    }
  }
  if (body.tail !== '') void lane.write(body.tail);
  await lane.emptied();
}

class Lane {
  readonly #source: ByteSource;
  readonly #sink: BodySink;
  readonly #share: BufferShare;
  readonly #clock: Stopwatch;
  #writing: Promise<void> = Promise.resolve();

  constructor(source: ByteSource, sink: BodySink, share: BufferShare, clock: Stopwatch) {
    this.#source = source;
    this.#sink = sink;
    this.#share = share;
    this.#clock = clock;
  }

  /** Returns how many bytes of the content were sent, or rather: are being sent. */
  async sendPiece(prefix: string, position: number, end: number): Promise<number> {
    this.#sink.gone.throwIfAborted();
    const buffer = this.#share.take();
    const giveBack = (sent: number): void => this.#share.give(buffer, sent, this.#clock.monotonic());
    const piece = end - position < buffer.length ? buffer.subarray(0, end - position) : buffer;
    const reading = this.#source.read(piece, position);
    let count: number;
    try {
      count = await unlessGone(reading, this.#sink.gone);
      if (count === 0) throw new RegistryError('UNKNOWN', endsEarly(position, end), { origin: 'store' });
      await unlessGone(this.#writing, this.#sink.gone);
    } catch (error) {
      // A read that is still under way may yet write into the buffer.
      const unsent = (): void => giveBack(0);
      void reading.then(unsent, unsent);
      // What was written before is right, and of use: clients resume where they were cut off.
      await this.emptied().catch(() => {});
      throw error;
    }
    if (prefix !== '') void this.write(prefix);
    this.write(count < piece.length ? piece.subarray(0, count) : piece).then(
      () => giveBack(count),
      () => giveBack(0),
    );
    return count;
  }

  write(bytes: Uint8Array | string): Promise<void> {
    const writing = new Promise<void>((resolve, reject) => {
      this.#sink.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    // Whoever writes next, or waits for the end, hears of a failure; until then it must not count as unhandled.
    writing.catch(() => {});
    this.#writing = writing;
    return writing;
  }

  async emptied(): Promise<void> {
    await unlessGone(this.#writing, this.#sink.gone);
  }
}

function endsEarly(position: number, end: number): string {
  return `the content ended at byte ${position}, before byte ${end}`;
}

function unlessGone<T>(work: Promise<T>, gone: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (gone.aborted) return reject(gone.reason);
    const leave = (): void => reject(gone.reason);
    gone.addEventListener('abort', leave, { once: true });
    void work.then(resolve, reject).finally(() => gone.removeEventListener('abort', leave));
  });
}
