/** What became of one write. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** What shared writes are made with. */
export interface Transactions {
  /** Runs it in a transaction. */
  write(run: () => void): void;
  /**
   * Within one: undoes what it did when it throws, and nothing else.
   * @throws when everything before it was undone as well
   */
  attempt<T>(run: () => T): Outcome<T>;
}

interface Waiting {
  run(): void;
  /** Once the transaction has ended. */
  tell(failure?: { readonly error: unknown }): void;
}

/**
 * Writes that were asked for in the same turn of the event loop, in one transaction: most of what a small one takes is its
 * beginning and its end. One that fails takes none of the others with it.
 */
export class SharedWrites implements Disposable {
  readonly #transactions: Transactions;
  #waiting: Waiting[] = [];
  #next: NodeJS.Immediate | undefined;

  constructor(transactions: Transactions) {
    this.#transactions = transactions;
  }

  /** Resolves when it is committed. */
  write<T>(run: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let outcome: Outcome<T> | undefined;
    this.#waiting.push({
      run: () => (outcome = this.#transactions.attempt(run)),
      tell: (failure) => {
        const told = failure ?? outcome;
        if (told !== undefined && 'value' in told) resolve(told.value);
        else reject(told?.error);
      },
    });
    this.#next ??= setImmediate(() => this.#flush());
    return promise;
  }

  /** Nobody who was promised a write is left without it. */
  [Symbol.dispose](): void {
    this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    try {
      this.#transactions.write(() => {
        for (const each of waiting) each.run();
      });
    } catch (error) {
      for (const each of waiting) each.tell({ error });
      return;
    }
    for (const each of waiting) each.tell();
  }
}
