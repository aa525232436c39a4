import type { Head, Receiver } from './exchange.ts';

/** A small body, kept whole. */
export interface Collected {
  readonly receiver: Receiver;
  /** `undefined` when there was more than allowed. */
  body(): Buffer | undefined;
}

/** Keeps the body of a successful answer, up to so many bytes; that of any other is of no interest. */
export function collect(bytesMax: number): Collected {
  let chunks: Buffer[] = [];
  let size = 0;
  let excess = false;
  const take = (bytes: number): boolean => {
    excess = bytes > bytesMax;
    if (excess) chunks = [];
    return !excess;
  };
  return {
    receiver: {
      head({ status, headers }: Head) {
        chunks = [];
        size = 0;
        excess = false;
        if (status < 200 || status > 299) return 'drain';
        return take(Number(headers['content-length'] ?? 0)) ? 'take' : 'leave';
      },
      data(chunk) {
        size += chunk.length;
        if (!take(size)) return false;
        chunks.push(chunk);
        return true;
      },
    },
    body: () => (excess ? undefined : Buffer.concat(chunks)),
  };
}
