import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { bufferBytesMax, bufferBytesMin, BufferPool } from './buffer-pool.ts';
import type { BufferShare } from './buffer-pool.ts';

const mebibyte = 1024 * 1024;
const soonMs = 1;
const lateMs = 1_000;

function takeAndGive(share: BufferShare, heldMs: number, times: number): number {
  let size = 0;
  for (let turn = 0; turn < times; turn += 1) {
    const buffer = share.take();
    size = buffer.length;
    share.give(buffer, heldMs);
  }
  return size;
}

describe('the buffer pool', () => {
  test('gives a fast reader larger buffers, up to the largest', () => {
    using share = new BufferPool().join();
    assert.ok(share.take().length < bufferBytesMax);
    assert.equal(takeAndGive(share, soonMs, 8), bufferBytesMax);
  });

  test('gives a slow reader smaller buffers, down to the smallest', () => {
    using share = new BufferPool().join();
    assert.equal(takeAndGive(share, lateMs, 12), bufferBytesMin);
  });

  test('hands out the same memory again', () => {
    using share = new BufferPool().join();
    const first = share.take();
    share.give(first, 100);
    assert.equal(share.take(), first);
  });

  test('shrinks everybody when many share the budget', () => {
    const pool = new BufferPool({ budgetBytes: 16 * mebibyte });
    const shares = Array.from({ length: 64 }, () => pool.join());
    for (const share of shares) assert.ok(takeAndGive(share, soonMs, 8) <= (16 * mebibyte) / 128);
    for (const share of shares) share[Symbol.dispose]();
    assert.equal(pool.readers, 0);
  });

  test('lends the smallest buffers beyond a budget that is used up, and no others', () => {
    const pool = new BufferPool({ budgetBytes: mebibyte });
    const share = pool.join();
    const lent = Array.from({ length: 200 }, () => share.take());
    assert.ok(lent.slice(20).every((buffer) => buffer.length === bufferBytesMin));
  });

  test('keeps little for the next reader when the last one has left', () => {
    const pool = new BufferPool();
    const shares = Array.from({ length: 32 }, () => pool.join());
    for (const share of shares) takeAndGive(share, soonMs, 4);
    const lent = shares.map((share) => share.take());
    lent.forEach((buffer, index) => shares[index]?.give(buffer, soonMs));
    for (const share of shares) share[Symbol.dispose]();
    assert.ok(pool.restingBytes <= 4 * mebibyte);
    assert.equal(pool.lentBytes, 0);
  });

  test('never lends two readers the same memory, nor more than its budget beyond the smallest buffers', () => {
    const budgetBytes = 4 * mebibyte;
    const step = fc.tuple(fc.nat(19), fc.constantFrom('take', 'give'), fc.constantFrom(soonMs, lateMs));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const pool = new BufferPool({ budgetBytes });
        const readers = Array.from({ length: 20 }, () => ({ share: pool.join(), held: [] as Buffer[] }));
        const lent = new Set<Buffer>();
        for (const [index, what, heldMs] of steps) {
          const reader = readers[index];
          if (reader === undefined) continue;
          if (what === 'take' && reader.held.length < 2) {
            const buffer = reader.share.take();
            assert.ok(!lent.has(buffer));
            lent.add(buffer);
            reader.held.push(buffer);
          } else {
            const buffer = reader.held.pop();
            if (buffer === undefined) continue;
            lent.delete(buffer);
            reader.share.give(buffer, heldMs);
          }
          const bytes = [...lent].reduce((sum, buffer) => sum + buffer.length, 0);
          assert.equal(pool.lentBytes, bytes);
          assert.ok(bytes <= budgetBytes + 40 * bufferBytesMin);
          assert.ok(pool.restingBytes <= budgetBytes);
        }
      }),
      { numRuns: 100 },
    );
  });
});
