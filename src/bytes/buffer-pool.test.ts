import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { bufferBytesMax, bufferBytesMin, BufferPool } from './buffer-pool.ts';
import type { BufferShare } from './buffer-pool.ts';

const mebibyte = 1024 * 1024;

/** Takes and gives back until so many bytes went out, at so many bytes a second; returns the size of the last buffer. */
function sendAt(share: BufferShare, bytesPerSecond: number, bytes: number): number {
  let size = 0;
  for (let sent = 0; sent < bytes; sent += size) {
    const buffer = share.take();
    size = buffer.length;
    share.give(buffer, size, ((sent + size) / bytesPerSecond) * 1_000);
  }
  return size;
}

describe('the buffer pool', () => {
  test('begins with half of the largest, and gives a fast reader large buffers', () => {
    using share = new BufferPool().join(0);
    assert.equal(sendAt(share, 1e9, 1), bufferBytesMax / 2);
    assert.equal(sendAt(share, 1e9, 64 * mebibyte), bufferBytesMax);
  });

  test('gives a fast one as large buffers as it may, in memory that threads may read if they are to', () => {
    const pool = new BufferPool({ largestBytes: mebibyte, shared: true });
    using share = pool.join(0);
    assert.equal(sendAt(share, 1e9, 64 * mebibyte), mebibyte);
    assert.ok(share.take().buffer instanceof SharedArrayBuffer);
  });

  test('gives a slow reader small buffers', () => {
    using share = new BufferPool().join(0);
    assert.equal(sendAt(share, 1e6, 8 * mebibyte), bufferBytesMin);
  });

  test('is not deceived by a slow reader whose kernel takes a megabyte at a time', () => {
    using share = new BufferPool().join(0);
    let largest = 0;
    for (let second = 1; second <= 20; second += 1) {
      for (let sent = 0; sent < mebibyte;) {
        const buffer = share.take();
        sent += buffer.length;
        // At first nothing is known of him.
        if (second > 1) largest = Math.max(largest, buffer.length);
        share.give(buffer, buffer.length, second * 1_000 + sent / mebibyte);
      }
    }
    assert.ok(largest <= 64 * 1024, `${largest}`);
  });

  test('hands out the same memory again', () => {
    using share = new BufferPool().join(0);
    const first = share.take();
    share.give(first, 0, 0);
    const second = share.take();
    assert.equal(second.buffer, first.buffer);
    assert.equal(second.byteOffset, first.byteOffset);
  });

  test('shrinks everybody when many share the budget', () => {
    const pool = new BufferPool({ budgetBytes: 16 * mebibyte });
    const shares = Array.from({ length: 64 }, () => pool.join(0));
    for (const share of shares) assert.ok(sendAt(share, 1e9, 16 * mebibyte) <= (16 * mebibyte) / shares.length);
    for (const share of shares) share[Symbol.dispose]();
    assert.equal(pool.readers, 0);
  });

  test('lends the smallest buffers beyond a budget that is used up, and no others', () => {
    const pool = new BufferPool({ budgetBytes: mebibyte });
    const share = pool.join(0);
    const lent = Array.from({ length: 200 }, () => share.take());
    assert.ok(lent.slice(20).every((buffer) => buffer.length === bufferBytesMin));
  });

  test('keeps little for the next reader when the last one has left', () => {
    const pool = new BufferPool();
    const shares = Array.from({ length: 32 }, () => pool.join(0));
    for (const share of shares) sendAt(share, 1e9, 16 * mebibyte);
    const lent = shares.map((share) => share.take());
    assert.ok(pool.heldBytes > 4 * mebibyte);
    for (const share of shares) share[Symbol.dispose]();
    lent.forEach((buffer, index) => shares[index]?.give(buffer, 0, 0));
    assert.ok(pool.heldBytes <= 4 * mebibyte);
    assert.equal(pool.lentBytes, 0);
  });

  test('refuses a buffer that is not its own', () => {
    using share = new BufferPool().join(0);
    assert.throws(() => share.give(Buffer.allocUnsafeSlow(bufferBytesMin), 0, 0), /not lent/);
  });

  test('never lends the same memory twice, nor holds more than its budget beyond the smallest buffers', () => {
    const budgetBytes = 4 * mebibyte;
    const step = fc.tuple(fc.nat(19), fc.constantFrom('take', 'give'), fc.constantFrom(0, 100_000, 1e9));
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
        const pool = new BufferPool({ budgetBytes });
        let now = 0;
        const readers = Array.from({ length: 20 }, () => ({ share: pool.join(0), held: [] as Buffer[] }));
        for (const [index, what, bytes] of steps) {
          const reader = readers[index];
          if (reader === undefined) continue;
          if (what === 'take' && reader.held.length < 2) {
            reader.held.push(reader.share.take().fill(index + 1));
          } else {
            const buffer = reader.held.pop();
            if (buffer === undefined) continue;
            assert.ok(
              buffer.every((byte) => byte === index + 1),
              'somebody else wrote into a lent buffer',
            );
            reader.share.give(buffer, bytes, (now += 300));
          }
          const lentBytes = readers.flatMap(({ held }) => held).reduce((sum, { length }) => sum + length, 0);
          assert.equal(pool.lentBytes, lentBytes);
          assert.ok(pool.heldBytes <= budgetBytes + 2 * mebibyte);
        }
        for (const { share, held } of readers) {
          for (const buffer of held) share.give(buffer, 0, now);
          share[Symbol.dispose]();
        }
        assert.equal(pool.lentBytes, 0);
        assert.ok(pool.heldBytes <= budgetBytes);
      }),
      { numRuns: 20 },
    );
  });
});
