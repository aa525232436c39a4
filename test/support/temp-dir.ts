/**
 * A directory for one test, removed at its end, which can insist that the test left nothing behind.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

export interface TempDirOptions {
  /** Disposal throws if any file is left (empty directories do not count). */
  readonly expectEmpty?: boolean;
  /** With `expectEmpty`: files that may be left, by their path inside the directory. */
  readonly except?: RegExp;
}

/** `await using dir = await TempDir.make();` */
export class TempDir implements AsyncDisposable {
  readonly path: string;
  readonly #options: TempDirOptions;

  private constructor(path: string, options: TempDirOptions) {
    this.path = path;
    this.#options = options;
  }

  static async make(options: TempDirOptions = {}): Promise<TempDir> {
    return new TempDir(await mkdtemp(join(tmpdir(), 'entrepot-test-')), options);
  }

  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Every file below, as sorted paths inside the directory. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(this.path, join(entry.parentPath, entry.name)))
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = this.#options.expectEmpty ? await this.files() : [];
    await rm(this.path, { recursive: true, force: true });
    const unexpected = left.filter((file) => !this.#options.except?.test(file));
    assert.deepEqual(unexpected, [], 'the test left files behind');
  }
}
