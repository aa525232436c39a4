import type { Index, Notice } from '../index/contract.ts';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { messageOf } from '../oci/errors.ts';

export interface GatheringContext {
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** How long a notice waits for company, in milliseconds, and how much company is enough. */
const lingerMs = 100;
const companyMax = 256;

/** Writes notices of pulls together: a transaction for each would cost more than the pull of a manifest. */
export class Gathering implements AsyncDisposable {
  readonly #context: GatheringContext;
  readonly #onWritten: (endpoints: readonly string[]) => void;
  #waiting: Notice[] = [];
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(context: GatheringContext, onWritten: (endpoints: readonly string[]) => void) {
    this.#context = context;
    this.#onWritten = onWritten;
  }

  add(notices: readonly Notice[]): void {
    if (notices.length === 0) return;
    this.#waiting.push(...notices);
    if (this.#waiting.length >= companyMax) this.#write();
    else this.#timer ??= this.#context.clock.setTimer(lingerMs, () => this.#write());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #write(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const notices = this.#waiting;
    this.#waiting = [];
    this.#writing = this.#writing.then(() => this.#put(notices));
  }

  async #put(notices: readonly Notice[]): Promise<void> {
    const { index, observer } = this.#context;
    try {
      await index.notices.add(notices);
      this.#onWritten(notices.map(({ endpoint }) => endpoint));
    } catch (error) {
      const message = messageOf(error);
      observer.emit({ type: 'task.failed', task: 'noting pulls for notifications', message });
    }
  }
}
