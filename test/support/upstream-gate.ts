/**
 * A place where requests wait until the test lets them through. So tests put events in order without sleeping.
 */
import type { Fault } from './upstream-faults.ts';
import { stop } from './upstream-faults.ts';
import type { Exchange } from './upstream-reply.ts';
import { Waiters } from './waiters.ts';

export interface Gate {
  /** Resolves when this many requests have come to the gate, counting those already let through. */
  arrived(count?: number): Promise<void>;
  /** Lets this many through, whether they wait already or come later. Default: all, for good. */
  release(count?: number): void;
}

/** @param at the offset of the content to wait at; without it requests wait before the registry sees them */
export function makeGate(at?: number): { readonly gate: Gate; readonly fault: Fault } {
  const door = new Door();
  const fault: Fault =
    at === undefined
      ? { kind: 'arrival', act: async (exchange) => ((await door.pass(exchange)) ? 'pass' : 'over') }
      : stop(at, (exchange) => door.pass(exchange));
  return { gate: door, fault };
}

class Door implements Gate {
  #arrivals = 0;
  #tickets = 0;
  #queue: (() => void)[] = [];
  readonly #waiters = new Waiters();

  /** False if the client left before it was let through. */
  async pass({ over }: Exchange): Promise<boolean> {
    this.#arrivals++;
    this.#waiters.look();
    const { promise, resolve } = Promise.withResolvers<true>();
    const enter = (): void => resolve(true);
    this.#queue.push(enter);
    this.#admit();
    const entered = await Promise.race([promise, over.then(() => false)]);
    if (!entered) this.#queue = this.#queue.filter((other) => other !== enter);
    return entered;
  }

  arrived(count = 1): Promise<void> {
    return this.#waiters.until(() => this.#arrivals >= count);
  }

  release(count = Infinity): void {
    this.#tickets += count;
    this.#admit();
  }

  #admit(): void {
    for (; this.#tickets > 0; this.#tickets--) {
      const enter = this.#queue.shift();
      if (!enter) return;
      enter();
    }
  }
}
