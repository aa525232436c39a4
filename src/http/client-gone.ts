/** Tells whoever asks, then or later, that the client has gone. Most never ask, and for them no signal is made. */
export class ClientGone {
  #controller: AbortController | undefined;
  #isGone = false;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isGone) this.#abort();
    }
    return this.#controller.signal;
  }

  tell(): void {
    this.#isGone = true;
    this.#abort();
  }

  #abort(): void {
    this.#controller?.abort(new Error('the client went away'));
  }
}
