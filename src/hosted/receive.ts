import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { Tally } from '../bytes/tally.ts';
import type { Clock } from '../observe/clock.ts';
import type { ByteStream, Filled } from '../oci/upload.ts';
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

/** Buffers of one upload that are being hashed and written while another one is filled. */
const runningMax = 3;

/**
 * Takes a stream to the disk: while one buffer is filled from the network, those before it are hashed and written, both at
 * once, and every so often the disk is told to get on with it. When the stream breaks off, what has come is written.
 * @throws what the stream or the store throws; what the ingest has is then as much as the tally says, unless the store failed
 */
export async function receive(stream: ByteStream, receiving: Receiving): Promise<void> {
  const { pool, clock } = receiving;
  using share = pool.join(clock.monotonic());
  const writer = new Writer(receiving, (buffer, bytes) => share.give(buffer, bytes, clock.monotonic()));
  const lend = (): Buffer => share.take();
  try {
    for (let next = await stream.fill(lend); next !== undefined; next = await stream.fill(lend)) {
      await writer.write(next);
    }
  } finally {
    await writer.end();
  }
}

class Writer {
  readonly #receiving: Receiving;
  readonly #giveBack: (buffer: Buffer, bytes: number) => void;
  readonly #syncs: EarlySync;
  /** In their order; each fails when one before it does. */
  readonly #running: Promise<void>[] = [];

  constructor(receiving: Receiving, giveBack: (buffer: Buffer, bytes: number) => void) {
    this.#receiving = receiving;
    this.#giveBack = giveBack;
    this.#syncs = new EarlySync(receiving.ingest);
  }

  /** Resolves when another one may be filled; this one is given back when it is written. */
  async write(filled: Filled<Buffer>): Promise<void> {
    const before = this.#running.at(-1);
    const running = this.#take(filled, before);
    running.catch(() => {});
    this.#running.push(running);
    if (this.#running.length === runningMax) await this.#running.shift();
  }

  async end(): Promise<void> {
    // The last one ends after all the others; who knows what a write does that nobody waits for?
    await this.#running.at(-1);
    await this.#syncs.end();
  }

  async #take({ buffer, bytes }: Filled<Buffer>, before: Promise<void> | undefined): Promise<void> {
    const { ingest, tally, onWritten, onProgress } = this.#receiving;
    const piece = buffer.subarray(0, bytes);
    const position = tally.size;
    try {
      const done = await Promise.allSettled([tally.add(piece), ingest.write(piece, position), before]);
      for (const each of done) if (each.status === 'rejected') throw each.reason;
    } finally {
      this.#giveBack(buffer, bytes);
    }
    onWritten(position + bytes);
    if (this.#syncs.wrote(bytes)) await onProgress(position + bytes);
  }
}
