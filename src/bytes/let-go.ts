/**
 * Gives a chunk's memory back at once, where all of it is the chunk's. Each chunk from a socket has memory of its own, of
 * which the garbage collector learns too late, and by which it is driven to collect everything every few megabytes.
 * Whoever still has the chunk finds it empty.
 */
export function letGo(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (chunk.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
