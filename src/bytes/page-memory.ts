/** A page of any kernel is a multiple of it, and it is one of any disk's sector. In bytes. */
export const pageBytes = 4096;

/**
 * Shared memory that begins at a page, which what goes from it to a disk directly has to (open(2), `O_DIRECT`). Only memory
 * that could grow is laid out like this; this one could by nothing.
 */
export function pageMemory(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes, { maxByteLength: bytes }), 0, bytes);
}

/** Whether it lies in such memory, begins at a page, and ends at one. */
export function isOfPages({ buffer, byteOffset, length }: Uint8Array): boolean {
  if (!(buffer instanceof SharedArrayBuffer) || !buffer.growable) return false;
  return byteOffset % pageBytes === 0 && length % pageBytes === 0;
}
