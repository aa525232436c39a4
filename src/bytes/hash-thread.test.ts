import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { digestOf } from '../oci/digest.ts';
import { HashThread } from './hash-thread.ts';

const bytes = makeBlob(700_000, 'thread').bytes();

function shared(content: Uint8Array): Buffer {
  const memory = Buffer.from(new SharedArrayBuffer(content.length));
  memory.set(content);
  return memory;
}

describe('a hash in a thread', () => {
  test('is that of what came, in its order, however many run at once', async () => {
    using thread = new HashThread();
    const memory = shared(bytes);
    const hexes = (['sha256', 'sha512'] as const).map(async (algorithm) => {
      using hash = thread.start(algorithm);
      const added = [0, 1, 2, 3, 4, 5, 6].map((nth) =>
        hash.update(memory.subarray(nth * 100_000, (nth + 1) * 100_000)),
      );
      await Promise.all(added);
      return `${algorithm}:${await hash.digest()}`;
    });
    assert.deepEqual(await Promise.all(hexes), [digestOf(bytes), digestOf(bytes, 'sha512')]);
  });

  test('can be asked for in between, and goes on', async () => {
    using thread = new HashThread();
    using hash = thread.start('sha256');
    const [half, rest] = [bytes.subarray(0, 300_000), bytes.subarray(300_000)];
    await hash.update(shared(half));
    assert.equal(`sha256:${await hash.digest()}`, digestOf(half));
    await hash.update(shared(rest));
    assert.equal(`sha256:${await hash.digest()}`, digestOf(bytes));
  });

  test('fails when the thread ends, and another one can be started', async () => {
    using thread = new HashThread();
    const lost = thread.start('sha256');
    const update = lost.update(shared(bytes));
    thread[Symbol.dispose]();
    await assert.rejects(update, /ended/);
    using hash = thread.start('sha256');
    await assert.rejects(lost.update(shared(bytes)), /ended/, 'its beginning is not known any more');
    await hash.update(shared(bytes));
    assert.equal(`sha256:${await hash.digest()}`, digestOf(bytes));
  });
});
