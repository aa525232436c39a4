import { Worker } from 'node:worker_threads';
import type { DigestAlgorithm } from '../oci/digest.ts';

/** A running hash of bytes that come in order. Disposing it forgets it. */
export interface RunningHash extends Disposable {
  /** Resolves when the bytes may be written over. They must lie in shared memory. */
  update(bytes: Uint8Array): Promise<void>;
  /** Of what came so far, in hexadecimal; it may go on. */
  digest(): Promise<string>;
}

/**
 * Hashes beside the event loop: SHA-256 takes half a second of a core for a gigabyte, in which the loop would receive
 * nothing. One thread for all, started when it is first needed: it hashes faster than a network brings bytes.
 */
export class HashThread implements Disposable {
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, PromiseWithResolvers<string>>();
  #asked = 0;
  #hashes = 0;

  start(algorithm: DigestAlgorithm): RunningHash {
    const hash = (this.#hashes += 1);
    const worker = (this.#worker ??= this.#begin());
    const ask = (question: object): Promise<string> => {
      // Another thread does not know what came before, and would vouch for the rest alone.
      if (worker !== this.#worker) return Promise.reject(new Error('the thread that knew this hash has ended'));
      return this.#ask(worker, { ...question, hash, algorithm });
    };
    return {
      update: async ({ buffer, byteOffset, length }) => {
        await ask({ kind: 'update', memory: buffer, start: byteOffset, length });
      },
      digest: () => ask({ kind: 'digest' }),
      [Symbol.dispose]: () => worker.postMessage({ kind: 'forget', hash }),
    };
  }

  [Symbol.dispose](): void {
    this.#end(new Error('hashing has ended'));
  }

  #ask(worker: Worker, question: object): Promise<string> {
    const id = (this.#asked += 1);
    const waiting = Promise.withResolvers<string>();
    this.#waiting.set(id, waiting);
    worker.postMessage({ ...question, id });
    return waiting.promise;
  }

  /** Its program is the text of a function, which is there in whatever form this program was started. */
  #begin(): Worker {
    const worker = new Worker(`(${work.toString()})()`, { eval: true, name: 'hashing' });
    worker.on('message', ({ id, value }: { readonly id: number; readonly value: string }) => {
      this.#waiting.get(id)?.resolve(value);
      this.#waiting.delete(id);
    });
    worker.on('error', (error) => this.#end(error));
    worker.unref();
    return worker;
  }

  /** What it knew is lost; whoever starts a hash after this gets another thread. */
  #end(reason: unknown): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

/** Runs in the thread, and so uses nothing from outside of itself. */
function work(): void {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const hashes = new Map<number, ReturnType<typeof createHash>>();
  const answer = (question: {
    readonly kind: 'update' | 'digest' | 'forget';
    readonly id: number;
    readonly hash: number;
    readonly algorithm: string;
    readonly memory: SharedArrayBuffer;
    readonly start: number;
    readonly length: number;
  }): void => {
    const { kind, id, hash, algorithm, memory, start, length } = question;
    if (kind === 'forget') {
      hashes.delete(hash);
      return;
    }
    const running = hashes.get(hash) ?? createHash(algorithm);
    hashes.set(hash, running);
    if (kind === 'update') running.update(new Uint8Array(memory, start, length));
    parentPort?.postMessage({ id, value: kind === 'digest' ? running.copy().digest('hex') : '' });
  };
  parentPort?.on('message', answer);
}
