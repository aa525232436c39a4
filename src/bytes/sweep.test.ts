import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sweepAfter, sweepBytes } from './sweep.ts';

/**
 * What lies about until the next sweep, what a thread of V8's is still freeing after the last one (with
 * `--single-threaded-gc` there is none of that), and what V8 has taken for old because it looked in between: three rounds at
 * most in thirty runs, mostly two. Without sweeps it comes to more than five.
 */
const rounds = 4;

test('what sockets brought does not pile up until the garbage collector takes notice of it', () => {
  // What the test runner itself brought with it.
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let piece = 0; piece < 8_192; piece += 1) {
    const { length } = Buffer.allocUnsafeSlow(64 * 1024);
    sweepAfter(length);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.ok(most < rounds * sweepBytes, `${most} bytes`);
});
