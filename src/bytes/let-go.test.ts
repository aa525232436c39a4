import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { letGo } from './let-go.ts';

describe('letting go of a chunk', () => {
  test('gives back memory that is all its own', () => {
    const chunk = Buffer.allocUnsafeSlow(65_536);
    letGo(chunk);
    assert.equal(chunk.length, 0);
  });

  test('leaves memory that somebody else has a part of', () => {
    const whole = Buffer.allocUnsafeSlow(65_536);
    letGo(whole.subarray(1));
    assert.equal(whole.length, 65_536);
  });
});
