import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isOfPages, pageBytes, pageMemory } from './page-memory.ts';

describe('memory of whole pages', () => {
  const memory = pageMemory(8 * pageBytes);

  test('is known by where a piece of it begins and ends', () => {
    assert.equal(isOfPages(memory), true);
    assert.equal(isOfPages(memory.subarray(pageBytes, 3 * pageBytes)), true);
    assert.equal(isOfPages(memory.subarray(1)), false);
    assert.equal(isOfPages(memory.subarray(0, pageBytes + 1)), false);
  });

  test('is not just any memory', () => {
    assert.equal(isOfPages(Buffer.alloc(pageBytes)), false);
    assert.equal(isOfPages(Buffer.from(new SharedArrayBuffer(pageBytes))), false);
  });

  test('does not grow', () => {
    assert.throws(() => (memory.buffer as SharedArrayBuffer).grow(9 * pageBytes), RangeError);
  });
});
