/**
 * Waiting for something to become true, for code that can say when it may have.
 */
export class Waiters {
  #waiting: { readonly met: () => boolean; readonly resolve: () => void }[] = [];

  /** Resolves when the condition holds: at once if it holds already. */
  until(met: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ met, resolve });
      this.look();
    });
  }

  /** Something has changed: whoever has waited for it goes on. */
  look(): void {
    const ready = this.#waiting.filter(({ met }) => met());
    this.#waiting = this.#waiting.filter((waiter) => !ready.includes(waiter));
    for (const { resolve } of ready) resolve();
  }
}
