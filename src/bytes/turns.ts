/**
 * Who may send next while a crowd is coming in. One new connection is let in each time the event loop goes around, and a
 * hundred readers that are sent what they can take make it go around slowly: the last of a crowd would wait long for its
 * first byte. So while readers arrive close together, only a few pieces are sent, first come, first served, and the loop
 * goes around.
 */
export class Turns {
  #arrivedAtMs = -Infinity;
  #crowdAtMs = -Infinity;
  /** Pieces that may still be sent in this turn of the event loop. */
  #left = piecesATurn;
  #isGoingAround = false;
  readonly #waiting: (() => void)[] = [];

  /** @param nowMs milliseconds since some start, as in `next` */
  arrive(nowMs: number): void {
    if (nowMs - this.#arrivedAtMs < closeMs) this.#crowdAtMs = nowMs;
    this.#arrivedAtMs = nowMs;
  }

  /** Resolves when a piece may be sent; `undefined`: at once. */
  next(nowMs: number): Promise<void> | undefined {
    if (nowMs - this.#crowdAtMs > crowdMs) {
      if (this.#waiting.length > 0) this.#letGo(this.#waiting.length);
      return undefined;
    }
    this.#goAround();
    if (this.#left > 0) {
      this.#left -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #goAround(): void {
    if (this.#isGoingAround) return;
    this.#isGoingAround = true;
    setImmediate(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#isGoingAround = false;
    const count = Math.min(this.#waiting.length, piecesATurn);
    this.#left = piecesATurn - count;
    if (count > 0) this.#goAround();
    this.#letGo(count);
  };

  #letGo(count: number): void {
    for (const go of this.#waiting.splice(0, count)) go();
  }
}

/** Readers that come within so much of each other are a crowd. */
const closeMs = 50;
/** And more of it is expected for so long. */
const crowdMs = 100;
const piecesATurn = 4;
