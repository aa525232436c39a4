import type { Writable } from 'node:stream';

interface Departure {
  readonly socket: Writable;
  readonly bytes: Uint8Array;
  readonly left: (error?: Error | null) => void;
}

/** So many do not wait for others. */
const answersTogetherMax = 16;

/**
 * Short answers that are ready in the same turn of the event loop. The first leaves at once; the others leave together, soon,
 * and one after the other: a client that was woken up by one of them is still awake for the next (docs/decisions/0038).
 */
export class Departures {
  readonly #waiting: Departure[] = [];
  #isTurn = false;

  /** @param left called when the bytes have left; not when the connection is gone before */
  add(departure: Departure): void {
    if (!this.#isTurn) {
      this.#isTurn = true;
      setImmediate(this.#onTurn);
      return go(departure);
    }
    this.#waiting.push(departure);
    if (this.#waiting.length === answersTogetherMax) this.goNow();
  }

  /** Lets all of them leave. */
  goNow(): void {
    for (const departure of this.#waiting.splice(0)) go(departure);
  }

  readonly #onTurn = (): void => {
    this.#isTurn = false;
    this.goNow();
  };
}

function go({ socket, bytes, left }: Departure): void {
  if (!socket.destroyed) socket.write(bytes, left);
}
