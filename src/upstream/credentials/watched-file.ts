import { readFile, stat } from 'node:fs/promises';

/** Larger than any file of secrets, in bytes. */
const fileBytesMax = 1024 * 1024;

/** A small file, read again when it has changed: Kubernetes and Vault replace secrets under a running server. */
export class WatchedFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #held: { readonly stamp: string; readonly value: T } | undefined;

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** @throws Error when it cannot be read or parsed */
  async get(): Promise<T> {
    const { size, mtimeNs, ino, ctimeNs } = await stat(this.#path, { bigint: true });
    if (size > fileBytesMax) throw new Error(`${this.#path} is larger than ${fileBytesMax} bytes`);
    const stamp = [size, mtimeNs, ctimeNs, ino].join();
    if (this.#held?.stamp === stamp) return this.#held.value;
    const value = this.#parse(await readFile(this.#path, 'utf8'));
    this.#held = { stamp, value };
    return value;
  }
}
