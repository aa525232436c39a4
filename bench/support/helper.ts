/**
 * A process of ours beside the servers, asked over IPC: what it does must not disturb what is measured here, nor the
 * other way round.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Operation = (argument: never) => unknown;
type Question<T> = { readonly id: number; readonly operation: keyof T; readonly argument: unknown };
type Reply = { readonly id: number; readonly value?: unknown; readonly error?: string };

/** @typeParam T what `answerWith` is given in the other process */
export class Helper<T extends Record<keyof T, Operation>> implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** @param module its file, seen from this one: `./readers-main.ts` */
  constructor(module: string) {
    this.#child = fork(fileURLToPath(new URL(module, import.meta.url)), { serialization: 'advanced' });
    const killWithUs = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.#child.on('message', (reply: Reply) => this.#settle(reply));
    this.#child.once('exit', () => {
      process.off('exit', killWithUs);
      for (const { reject } of this.#waiting.values()) reject(new Error(`${module} ended`));
    });
  }

  async ask<K extends keyof T>(operation: K, argument: Parameters<T[K]>[0]): Promise<Awaited<ReturnType<T[K]>>> {
    const id = this.#asked++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, operation, argument } satisfies Question<T>);
    return (await waiting.promise) as Awaited<ReturnType<T[K]>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  #settle({ id, value, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(error));
  }
}

/** The other side: answers every question until the process is killed. */
export function answerWith<T extends Record<keyof T, Operation>>(operations: T): void {
  const answer = async ({ id, operation, argument }: Question<T>): Promise<void> => {
    try {
      send({ id, value: await operations[operation](argument as never) });
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  process.on('message', (question: Question<T>) => void answer(question));
}

function send(message: Reply): void {
  process.send?.(message);
}
