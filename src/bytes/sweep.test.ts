import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepAfter } from './sweep.ts';

const mebibyte = 1024 * 1024;

test('what sockets brought does not pile up until the garbage collector takes notice of it', () => {
  let most = 0;
  for (let piece = 0; piece < 8_192; piece += 1) {
    const { length } = Buffer.allocUnsafeSlow(64 * 1024);
    sweepAfter(length);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  // What the test runner itself brought with it counts, too.
  assert.ok(most < 60 * mebibyte, `${most} bytes`);
});
