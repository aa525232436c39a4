import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { Tally } from '../bytes/tally.ts';
import type { Clock } from '../observe/clock.ts';
import type { ByteStream } from '../oci/upload.ts';
import type { Ingest } from '../store/blob-store.ts';
import { EarlySync } from './early-sync.ts';

export interface Receiving {
  readonly ingest: Ingest;
  /** Of what the ingest has; grows with it. */
  readonly tally: Tally;
  readonly pool: BufferPool;
  readonly clock: Clock;
  /** Told after each write, of how much has been written. */
  readonly onWritten: (received: number) => void;
  /** The same, now and then. */
  readonly onProgress: (received: number) => Promise<void>;
}

/**
 * Takes a stream to the disk: one buffer is filled from the network and hashed while the other one is being written, and
 * every so often the disk is told to get on with it. When the stream breaks off, what has come is written.
 * @throws what the stream or the store throws; what the ingest has is then as much as the tally says, unless the store failed
 */
export async function receive(stream: ByteStream, receiving: Receiving): Promise<void> {
  const { pool, clock } = receiving;
  using share = pool.join(clock.monotonic());
  const writer = new Writer(receiving, (buffer, bytes) => share.give(buffer, bytes, clock.monotonic()));
  let buffer: Buffer | undefined;
  let filled = 0;
  try {
    for (let piece = await stream.read(); piece !== undefined; piece = await stream.read()) {
      for (let at = 0; at < piece.length;) {
        buffer ??= share.take();
        const count = Math.min(piece.length - at, buffer.length - filled);
        buffer.set(at === 0 && count === piece.length ? piece : piece.subarray(at, at + count), filled);
        filled += count;
        at += count;
        if (filled < buffer.length) continue;
        const full = buffer;
        [buffer, filled] = [undefined, 0];
        await writer.write(full, full.length);
      }
    }
  } finally {
    if (buffer !== undefined) await writer.write(buffer, filled);
    await writer.end();
  }
}

class Writer {
  readonly #receiving: Receiving;
  readonly #giveBack: (buffer: Buffer, bytes: number) => void;
  readonly #syncs: EarlySync;
  #writing: Promise<void> = Promise.resolve();

  constructor(receiving: Receiving, giveBack: (buffer: Buffer, bytes: number) => void) {
    this.#receiving = receiving;
    this.#giveBack = giveBack;
    this.#syncs = new EarlySync(receiving.ingest);
  }

  /** Resolves when the buffer before is written; this one is given back when it is. */
  async write(buffer: Buffer, filled: number): Promise<void> {
    try {
      await this.#writing;
    } catch (error) {
      this.#giveBack(buffer, filled);
      throw error;
    }
    this.#writing = this.#take(buffer, filled);
    this.#writing.catch(() => {});
  }

  async end(): Promise<void> {
    await this.#writing;
    await this.#syncs.end();
  }

  async #take(buffer: Buffer, filled: number): Promise<void> {
    const { ingest, tally, onWritten, onProgress } = this.#receiving;
    try {
      if (filled === 0) return;
      const bytes = buffer.subarray(0, filled);
      const position = tally.size;
      const written = ingest.write(bytes, position);
      written.catch(() => {});
      tally.add(bytes);
      await written;
      onWritten(position + filled);
      if (this.#syncs.wrote(filled)) await onProgress(position + filled);
    } finally {
      this.#giveBack(buffer, filled);
    }
  }
}
