import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { open, readFile, readdir, readlink, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { pageMemory } from '../../bytes/page-memory.ts';
import { systemClock } from '../../observe/clock.ts';
import { DirectFile, DirectWrites } from './direct-file.ts';
import { OpenFile } from './open-file.ts';
import { PromptReads, readWatch } from './prompt-reads.ts';

const mebibyte = 1024 * 1024;
const prompt = new PromptReads(readWatch(systemClock));

describe('a direct write', () => {
  test('takes large pieces of whole pages to where they belong, and leaves the others', async (context) => {
    await using place = await Place.make();
    if (!(await place.takesDirectWrites())) return context.skip('this file system takes no direct writes');
    const piece = pageMemory(mebibyte).fill('a');
    const small = piece.subarray(0, 4096);
    const odd = piece.subarray(1, 512 * 1024 + 1);
    assert.equal(await place.direct.write(small, 0), false);
    assert.equal(await place.direct.write(odd, 0), false);
    assert.equal(await place.direct.write(piece, 1), false);
    assert.equal(await place.direct.write(Buffer.alloc(mebibyte), 0), false);
    assert.deepEqual(await place.directlyOpen(), [], 'opened for nothing');
    assert.equal(await place.direct.write(piece, mebibyte), true);
    assert.equal((await place.directlyOpen()).length, 1);
    assert.deepEqual(await readFile(place.path), Buffer.concat([Buffer.alloc(mebibyte), piece]));
    await place.direct.close();
    assert.deepEqual(await place.directlyOpen(), []);
  });

  test('and one through the memory of the kernel go to one file', async (context) => {
    await using place = await Place.make();
    if (!(await place.takesDirectWrites())) return context.skip('this file system takes no direct writes');
    const file = await OpenFile.open(place.path, 'r+', prompt);
    const pieces = ['a', 'b', 'c', 'd'].map((letter) => pageMemory(mebibyte).fill(letter));
    await Promise.all(
      pieces.map(async (piece, nth) => {
        if (nth % 2 === 0) await file.write(piece, nth * mebibyte);
        else assert.equal(await place.direct.write(piece, nth * mebibyte), true);
      }),
    );
    await file.write(Buffer.from('the end'), 4 * mebibyte);
    await file.close();
    assert.deepEqual(await readFile(place.path), Buffer.concat([...pieces, Buffer.from('the end')]));
  });

  test('is not tried again where one was refused', async () => {
    await using place = await Place.make();
    // What a file system says that takes none.
    place.writes.refuse();
    assert.equal(await place.direct.write(pageMemory(mebibyte), 0), false);
    assert.deepEqual(await place.directlyOpen(), []);
  });

  test('is refused by what is no file of a file system', async () => {
    const writes = new DirectWrites();
    // Opened like a file, and never written to directly.
    const direct = new DirectFile('/proc/self/comm', writes, prompt);
    assert.equal(await direct.write(pageMemory(mebibyte), 0), false);
    await direct.close();
    assert.equal(writes.refused, true);
  });
});

class Place implements AsyncDisposable {
  readonly path: string;
  readonly writes = new DirectWrites();
  readonly direct: DirectFile;
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.path = dir.join('file');
    this.direct = new DirectFile(this.path, this.writes, prompt);
  }

  static async make(): Promise<Place> {
    const place = new Place(await TempDir.make());
    await writeFile(place.path, '');
    return place;
  }

  async takesDirectWrites(): Promise<boolean> {
    try {
      await using file = await open(this.path, constants.O_RDONLY | constants.O_DIRECT);
      return file.fd > 0;
    } catch {
      return false;
    }
  }

  /** Descriptors of the file that this process has open for direct writes. */
  async directlyOpen(): Promise<string[]> {
    const found: string[] = [];
    for (const descriptor of await readdir('/proc/self/fd')) {
      const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => '');
      if (target !== this.path) continue;
      const flags = /flags:\s+(\d+)/.exec(await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '0';
      if ((Number.parseInt(flags, 8) & constants.O_DIRECT) !== 0) found.push(descriptor);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.direct.close();
    await this.#dir[Symbol.asyncDispose]();
  }
}
