/** Writes by any connection of this process. */
let writesHere = 0;

/**
 * A number that is another one whenever something that was read may have changed since. What this process wrote, through
 * whichever connection, counts at once; what another process wrote, from the next turn of the event loop on: nobody can
 * have heard of it before.
 */
export class Version {
  readonly #look: () => number;
  #current = 0;
  #foreign = Number.NaN;
  /** The writes of this process when we last looked; `undefined` when that was in an earlier turn. */
  #lookedAfter: number | undefined;

  /** @param look SQLite's `data_version`: changes when another connection has committed. Two microseconds, so once a turn. */
  constructor(look: () => number) {
    this.#look = look;
  }

  get current(): number {
    if (this.#lookedAfter === writesHere) return this.#current;
    if (this.#lookedAfter === undefined) setImmediate(() => (this.#lookedAfter = undefined));
    this.#lookedAfter = writesHere;
    const foreign = this.#look();
    if (foreign !== this.#foreign) this.#current += 1;
    this.#foreign = foreign;
    return this.#current;
  }

  /** This connection has written, or has taken back what it wrote. */
  wrote(): void {
    this.#current += 1;
    writesHere += 1;
  }
}
