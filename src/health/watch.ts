import type { CheckConfig } from '../config/config.ts';
import type { Observer } from '../observe/events.ts';
import { look } from './checks.ts';
import type { CheckContext } from './checks.ts';

export interface WatchContext extends CheckContext {
  readonly observer: Observer;
}

/** One check, made again and again. It fails once it has failed so often in a row, and is well with its first success. */
export class Watch implements AsyncDisposable {
  readonly #check: CheckConfig;
  readonly #context: WatchContext;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #failures = 0;
  #problem: string | undefined;

  constructor(check: CheckConfig, context: WatchContext) {
    this.#check = check;
    this.#context = context;
    this.#running = this.#run();
  }

  get name(): string {
    return this.#check.name;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const problem = await look(this.#check, this.#context, signal);
      if (!signal.aborted) this.#judge(problem);
      await this.#context.clock.sleep(this.#check.intervalMs, signal).catch(() => {});
    }
  }

  #judge(problem: string | undefined): void {
    const { name: check, threshold } = this.#check;
    const { observer } = this.#context;
    this.#failures = problem === undefined ? 0 : this.#failures + 1;
    const failing = this.#failures >= Math.max(threshold, 1) ? problem : undefined;
    if ((failing === undefined) !== (this.#problem === undefined)) {
      observer.emit({ type: 'health.changed', check, well: failing === undefined, problem: failing });
    }
    this.#problem = failing;
  }
}
