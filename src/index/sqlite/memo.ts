/** What may be asked whether it is as it was. */
export interface Versioned {
  readonly version: number;
}

/** Bytes that all answers together may take. */
const bytesMaxDefault = 32 * 1024 * 1024;
/** What an answer takes besides its bytes, about. */
const entryBytes = 512;

/**
 * Answers that were read before, as long as nothing in the database has changed: a manifest that many pull costs its
 * statements once. Nothing here needs to be told what a write changed; any write forgets everything.
 */
export class Memo<T extends object> {
  readonly #database: Versioned;
  readonly #bytesMax: number;
  readonly #answers = new Map<string, T>();
  #bytes = 0;
  #version = Number.NaN;

  constructor(database: Versioned, bytesMax: number = bytesMaxDefault) {
    this.#database = database;
    this.#bytesMax = bytesMax;
  }

  /** @param bytesOf what an answer holds besides a few words */
  recall(key: string, read: () => T | undefined, bytesOf: (answer: T) => number = none): T | undefined {
    this.#forgetWhatChanged();
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = read();
    // What is not there may come at any time, and everything is asked about: only what is there is worth the memory.
    if (answer !== undefined) this.#remember(key, answer, bytesOf(answer));
    return answer;
  }

  #forgetWhatChanged(): void {
    const { version } = this.#database;
    if (version === this.#version) return;
    this.#version = version;
    this.#forget();
  }

  #remember(key: string, answer: T, bytes: number): void {
    if (this.#bytes + bytes + entryBytes > this.#bytesMax) this.#forget();
    this.#answers.set(key, answer);
    this.#bytes += bytes + entryBytes;
  }

  #forget(): void {
    this.#answers.clear();
    this.#bytes = 0;
  }
}

const none = (): number => 0;
