import fs from 'node:fs';
import { systemCodeOf } from '../../oci/errors.ts';

/** What no second try mends: the codes of `failure.ts`, and a sync that failed. */
const lasting: ReadonlySet<string> = new Set(['CORRUPT', 'NOTADB', 'SYNC']);

/** Whether an index is still what this process opened: the same file, of which no read or write has said that it is damaged. */
export class Soundness {
  readonly #path: string;
  readonly #opened: string | undefined;
  #failure: string | undefined;

  /** @param path of a database that is open */
  constructor(path: string) {
    this.#path = path;
    this.#opened = this.#fileThere();
  }

  /** To be told whatever fails. */
  note(failure: unknown): void {
    if (failure instanceof Error && lasting.has(systemCodeOf(failure))) this.#failure ??= failure.message;
  }

  /** What is wrong, and what to do; `undefined` when nothing is known to be. One look at the file, and nothing is read. */
  get problem(): string | undefined {
    if (this.#failure !== undefined || this.#fileThere() === this.#opened) return this.#failure;
    return `the index ${this.#path} was removed or replaced while in use, and what is written to it now is lost at the end: stop entrepot, run \`entrepot rebuild\`, and start again`;
  }

  /** Which file lies at the path; `undefined` when none does. */
  #fileThere(): string | undefined {
    const found = fs.statSync(this.#path, { throwIfNoEntry: false });
    return found && `${found.dev} ${found.ino}`;
  }
}
