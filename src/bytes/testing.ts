/** A receiver and a source of bytes that do what a test says. */
import assert from 'node:assert/strict';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob } from '../../test/support/blobs.ts';
import type { ByteSource } from '../oci/blob.ts';
import { BufferPool } from './buffer-pool.ts';
import { sendBlob } from './send.ts';
import type { BodySink, Slice } from './send.ts';

export type Left = (error?: Error | null) => void;

/** A receiver that takes what it is given, at once or when the test says so. */
export class TestSink implements BodySink {
  readonly #controller = new AbortController();
  readonly received: Buffer[] = [];
  readonly pending: Left[] = [];
  /** The bytes under way, to see whether somebody changes them. */
  readonly underWay: { readonly bytes: Uint8Array; readonly copy: Buffer }[] = [];
  readonly automatic: boolean;

  constructor(automatic = true) {
    this.automatic = automatic;
  }

  get gone(): AbortSignal {
    return this.#controller.signal;
  }

  write(bytes: Uint8Array | string, left: Left): void {
    const copy = Buffer.from(bytes);
    if (typeof bytes !== 'string') this.underWay.push({ bytes, copy });
    this.received.push(copy);
    const finish: Left = (error) => {
      const index = this.underWay.findIndex((each) => each.copy === copy);
      const [entry] = index < 0 ? [] : this.underWay.splice(index, 1);
      if (entry !== undefined) assert.ok(entry.copy.equals(entry.bytes), 'a buffer changed before it had left');
      left(error);
    };
    if (this.automatic) setImmediate(finish);
    else this.pending.push(finish);
  }

  leave(reason: Error): void {
    this.#controller.abort(reason);
  }

  get text(): Buffer {
    return Buffer.concat(this.received);
  }
}

export class TestSource implements ByteSource {
  /** What is in memory: read at once. */
  readonly nowUpTo: number;
  readonly #bytes: Buffer;
  reads = 0;
  disposed = false;
  /** Replaces a read. */
  instead: ((into: Uint8Array, position: number) => Promise<number>) | undefined;

  constructor(bytes: Buffer, nowUpTo = 0) {
    this.#bytes = bytes;
    this.nowUpTo = nowUpTo;
  }

  readNow(into: Uint8Array, position: number): number | undefined {
    return this.#bytes.copy(into, 0, position, Math.min(position + into.length, this.nowUpTo)) || undefined;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.reads += 1;
    if (this.instead !== undefined) return await this.instead(into, position);
    return this.#bytes.copy(into, 0, position, Math.min(position + into.length, this.#bytes.length));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

export const content = makeBlob(3_000_000, 'send').bytes();
export const all: Slice = { prefix: '', start: 0, end: content.length, verified: true };

export function send(
  source: ByteSource,
  sink: BodySink,
  slices: readonly Slice[] = [all],
  tail = '',
  pool = new BufferPool(),
) {
  return sendBlob({ source, slices, tail }, sink, pool, new FakeClock());
}
