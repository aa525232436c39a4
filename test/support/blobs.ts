/**
 * Blobs out of nothing: the bytes follow from a size and a seed, and a blob of a gibibyte holds one mebibyte of memory.
 */
import { createCipheriv, createHash } from 'node:crypto';

/** Bytes that can be read from any offset, any number of times. */
export interface Content {
  readonly digest: string;
  readonly size: number;
  /** The bytes from `start` up to, not including, `end`, as views of at most 256 KiB that nobody may write to. */
  slices(start?: number, end?: number): Iterable<Buffer>;
  /** Everything at once: for small content. */
  bytes(): Buffer;
}

/** A pseudo-random blob: the same size and seed give the same bytes in every run and on every machine. */
export function makeBlob(size: number, seed: string | number): Content {
  const block = noise(Math.min(size, PERIOD), String(seed));
  return content(block, size, digestOnce(block, size, String(seed)));
}

/** Content with exactly these bytes. */
export function literalBlob(bytes: Buffer | string): Content {
  const block = Buffer.from(bytes);
  return content(block, block.length, digestOf([block]));
}

/** `sha256:` and the hash of the pieces laid end to end. */
export function digestOf(pieces: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

/**
 * Large blobs repeat one block. Its length is a prime, so that bytes from an offset that is wrong by any multiple of a
 * buffer or of a range's size are wrong bytes: with a block of 1 MiB such a mistake would go unseen.
 */
const PERIOD = 1_048_573;
const SLICE_BYTES_MAX = 256 * 1024;

function content(block: Buffer, size: number, digest: string): Content {
  return {
    digest,
    size,
    *slices(start = 0, end = size): Iterable<Buffer> {
      for (let offset = start; offset < end;) {
        const within = offset % block.length;
        const length = Math.min(end - offset, block.length - within, SLICE_BYTES_MAX);
        yield block.subarray(within, within + length);
        offset += length;
      }
    },
    bytes: () => (size === block.length ? block : Buffer.concat([...content(block, size, digest).slices()])),
  };
}

function noise(length: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(length));
}

const digests = new Map<string, string>();

/** Hashing a gibibyte takes half a second: each (size, seed) is hashed once a process. */
function digestOnce(block: Buffer, size: number, seed: string): string {
  const key = `${size} ${seed}`;
  const digest = digests.get(key) ?? digestOf(content(block, size, '').slices());
  digests.set(key, digest);
  return digest;
}
