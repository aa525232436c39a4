/** Compares passwords with hashes in a thread of its own: it takes a tenth of a second of nothing but arithmetic. */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

export interface Comparison {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

export interface Compared {
  readonly id: number;
  readonly isRight: boolean;
}

parentPort?.on('message', ({ id, password, hash }: Comparison) => {
  const answer: Compared = { id, isRight: compareSync(password, hash) };
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window of a browser
  parentPort?.postMessage(answer);
});
