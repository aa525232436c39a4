import { sweepAfter } from './sweep.ts';

/**
 * Gives a chunk's memory back at once, where all of it is the chunk's. Each chunk from a socket has memory of its own, of
 * which the garbage collector learns too late, and by which it is driven to collect everything every few megabytes.
 * Whoever still has the chunk finds it empty. What somebody else has a part of is swept away with others.
 */
export function letGo(chunk: Uint8Array): void {
  const { buffer, byteLength } = chunk;
  if (byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
  else sweepAfter(byteLength);
}
