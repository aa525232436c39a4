import { Worker } from 'node:worker_threads';
import { RegistryError } from '../oci/errors.ts';
import type { Compared, Comparison } from './bcrypt-worker.ts';

/** The text of `bcrypt-worker.ts` where the program is one file (`scripts/build.ts`); otherwise there is the file itself. */
declare const bcryptWorkerSource: string | undefined;

export interface Bcrypt extends AsyncDisposable {
  /** @throws RegistryError `UNAVAILABLE` when there is more to compare than can be */
  compare(password: string, hash: string): Promise<boolean>;
}

/** Comparisons that wait; a client's patience is not longer. */
const waitingMax = 256;

/** Starts its thread when the first password comes. */
export function createBcrypt(): Bcrypt {
  return new BcryptThread();
}

class BcryptThread implements Bcrypt {
  #worker: Worker | undefined;
  #lastId = 0;
  readonly #waiting = new Map<number, PromiseWithResolvers<boolean>>();

  async compare(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= waitingMax) throw overloaded();
    const comparison: Comparison = { id: (this.#lastId += 1), password, hash };
    const answer = Promise.withResolvers<boolean>();
    this.#waiting.set(comparison.id, answer);
    this.#worker ??= this.#start();
    this.#worker.ref();
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window of a browser
    this.#worker.postMessage(comparison);
    return answer.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#fail(new Error('the server stops'));
  }

  #start(): Worker {
    const worker =
      typeof bcryptWorkerSource === 'undefined'
        ? new Worker(new URL('./bcrypt-worker.ts', import.meta.url))
        : new Worker(bcryptWorkerSource, { eval: true });
    worker.on('message', ({ id, isRight }: Compared) => {
      this.#waiting.get(id)?.resolve(isRight);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.once('error', (error) => {
      this.#worker = undefined;
      this.#fail(error);
    });
    return worker;
  }

  #fail(error: unknown): void {
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(error);
  }
}

function overloaded(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'more passwords wait to be checked than this server can check; try again', {
    origin: 'entrepot',
    retryAfterSeconds: 1,
  });
}
