import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { TempDir } from '../../../test/support/temp-dir.ts';
import { PromptReads } from './prompt-reads.ts';
import type { ReadWatch } from './prompt-reads.ts';

/** Each read takes so long, and waits for the disk so often. */
class TestWatch implements ReadWatch {
  nowMs = 0;
  tookMs = 0;
  reads = 0;
  #begun = false;

  monotonic(): number {
    if (this.#begun) this.nowMs += this.tookMs;
    this.#begun = !this.#begun;
    return this.nowMs;
  }

  /** A read that is not tried asks for the time only once. */
  notTried(): void {
    this.#begun = false;
  }

  diskReads(): number {
    return this.reads;
  }
}

async function withFile(use: (read: () => number | undefined, watch: TestWatch) => void): Promise<void> {
  await using dir = await TempDir.make();
  writeFileSync(dir.join('file'), 'hello');
  const descriptor = openSync(dir.join('file'), 'r');
  const watch = new TestWatch();
  const prompt = new PromptReads(watch);
  try {
    use(() => {
      const count = prompt.read(descriptor, Buffer.alloc(16), 16, 0);
      if (count === undefined) watch.notTried();
      return count;
    }, watch);
  } finally {
    closeSync(descriptor);
  }
}

describe('reading on the thread that serves everybody', () => {
  test('goes on as long as reads come from memory', async () => {
    await withFile((read, watch) => {
      watch.tookMs = 0.2;
      for (let times = 0; times < 10; times += 1) assert.equal(read(), 5);
    });
  });

  test('pauses after a read that waited for the disk, twenty times as long as that took', async () => {
    await withFile((read, watch) => {
      [watch.tookMs, watch.reads] = [10, 1];
      assert.equal(read(), 5);
      watch.nowMs += 199;
      assert.equal(read(), undefined);
      watch.nowMs += 1;
      assert.equal(read(), 5);
    });
  });

  test('does not take another process on the processor for a slow disk, unless it takes very long', async () => {
    await withFile((read, watch) => {
      watch.tookMs = 10;
      for (let times = 0; times < 3; times += 1) assert.equal(read(), 5);
      watch.tookMs = 51;
      assert.equal(read(), 5);
      assert.equal(read(), undefined);
    });
  });

  test('leaves the end of the file and failures to who waits', () => {
    const prompt = new PromptReads(new TestWatch());
    assert.equal(prompt.read(-1, Buffer.alloc(1), 1, 0), undefined);
  });
});
