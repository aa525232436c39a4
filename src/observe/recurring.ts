import { messageOf } from '../oci/errors.ts';
import type { Clock, Timer } from './clock.ts';
import type { Observer } from './events.ts';

export interface Task {
  /** For the log, when it fails: what it does, as `scrub`. */
  readonly name: string;
  readonly firstAfterMs: number;
  /** From the end of one run to the beginning of the next, in milliseconds. A function is asked at each end. */
  readonly pauseMs: number | (() => number);
  /** @param signal aborts when the run should end soon */
  run(signal: AbortSignal): Promise<unknown>;
}

/** Work that comes back, never twice at a time. A run that fails is told of, and the next one comes all the same. */
export class Recurring implements AsyncDisposable {
  readonly #task: Task;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #closing = new AbortController();
  #timer: Timer;
  #running: Promise<void> = Promise.resolve();

  constructor(task: Task, clock: Clock, observer: Observer) {
    this.#task = task;
    this.#clock = clock;
    this.#observer = observer;
    this.#timer = this.#after(task.firstAfterMs);
  }

  /** Waits for a run that is under way; there will be no other. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#timer.cancel();
    await this.#running;
  }

  #after(ms: number): Timer {
    return this.#clock.setTimer(ms, () => {
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { name, pauseMs } = this.#task;
    try {
      await this.#task.run(this.#closing.signal);
    } catch (error) {
      const message = messageOf(error);
      if (!this.#closing.signal.aborted) this.#observer.emit({ type: 'task.failed', task: name, message });
    }
    if (!this.#closing.signal.aborted) this.#timer = this.#after(typeof pauseMs === 'number' ? pauseMs : pauseMs());
  }
}
