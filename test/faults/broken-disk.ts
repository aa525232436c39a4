/** A disk that fails: the file operations of the store, replaced for the length of a test. */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { OpenFile } from '../../src/store/filesystem/open-file.ts';
import { storeFailure } from '../../src/store/failure.ts';

/** Writes fail from the moment that so many bytes of content have been written in all. */
export function failWrites(t: TestContext, code: string, afterBytes = 0): Disposable {
  const write: Write = Reflect.get(OpenFile.prototype, 'write');
  let written = 0;
  const replaced = t.mock.method(OpenFile.prototype, 'write', async function (this: OpenFile, bytes, position) {
    written += bytes.length;
    if (written > afterBytes) throw storeFailure('writing to the store', errno(code));
    return write.call(this, bytes, position);
  } satisfies Write);
  return healing(replaced);
}

type Write = (this: OpenFile, bytes: Uint8Array, position: number) => Promise<void>;

/** What was written cannot be brought to the disk. */
export function failSync(t: TestContext, code: string): Disposable {
  return healing(t.mock.method(OpenFile.prototype, 'sync', () => Promise.reject(errno(code))));
}

/** It takes so long, in milliseconds, to close a file. */
export function slowClose(t: TestContext, ms: number): Disposable {
  const close: Close = Reflect.get(OpenFile.prototype, 'close');
  const replaced = t.mock.method(OpenFile.prototype, 'close', async function (this: OpenFile) {
    await delay(ms);
    return close.call(this);
  } satisfies Close);
  return healing(replaced);
}

type Close = (this: OpenFile) => Promise<void>;

/** No file can be made. */
export function failOpen(t: TestContext, code: string): Disposable {
  return healing(t.mock.method(OpenFile, 'open', () => Promise.reject(errno(code))));
}

/** What was written cannot be read back. */
export function failReads(t: TestContext, code: string): Disposable {
  const fail = (): Promise<number> => Promise.reject(storeFailure('reading from the store', errno(code)));
  return healing(t.mock.method(OpenFile.prototype, 'read', fail));
}

/** No blob can be deleted. */
export function failDelete(t: TestContext, code: string): Disposable {
  const { unlink } = fs;
  const replaced = t.mock.method(fs, 'unlink', (path: string) =>
    path.includes('/blobs/') ? Promise.reject(errno(code)) : unlink(path),
  );
  // The store has it by name.
  syncBuiltinESMExports();
  return {
    [Symbol.dispose]() {
      replaced.mock.restore();
      syncBuiltinESMExports();
    },
  };
}

function healing({ mock }: { readonly mock: { restore(): void } }): Disposable {
  return { [Symbol.dispose]: () => mock.restore() };
}

function errno(code: string): Error {
  return Object.assign(new Error(`${code}: the test says so`), { code });
}
