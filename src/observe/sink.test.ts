import assert from 'node:assert/strict';
import { openSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { batched, descriptorSink } from './sink.ts';
import type { Sink } from './sink.ts';

function recorder(): Sink & { readonly writes: string[] } {
  const writes: string[] = [];
  return { writes, write: (lines) => void writes.push(lines), flushSync: () => {}, droppedLines: 0 };
}

describe('a batched sink', () => {
  test('hands on many lines at once, and a lone line after a moment', async () => {
    const inner = recorder();
    const clock = new FakeClock();
    const sink = batched(inner, clock);
    sink.write('one\n');
    sink.write('two\n');
    assert.deepEqual(inner.writes, []);
    await clock.advance(200);
    assert.deepEqual(inner.writes, ['one\ntwo\n']);
    sink.write('three\n');
    await clock.advance(200);
    assert.deepEqual(inner.writes, ['one\ntwo\n', 'three\n']);
  });

  test('does not wait once there is enough', () => {
    const inner = recorder();
    const sink = batched(inner, new FakeClock());
    for (let i = 0; i < 100; i++) sink.write(`${'x'.repeat(199)}\n`);
    assert.ok(inner.writes.length > 0);
    sink.flushSync();
    assert.equal(inner.writes.join('').length, 20_000);
  });
});

describe('a descriptor sink', () => {
  test('has written everything when flushed', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('log');
    const sink = descriptorSink(openSync(path, 'a'));
    sink.write('one\n');
    sink.write('two\n');
    sink.flushSync();
    assert.match(readFileSync(path, 'utf8'), /two\n$/);
  });

  test('drops and counts lines that a stuck reader leaves lying', async () => {
    await using dir = await TempDir.make();
    const sink = descriptorSink(openSync(dir.join('log'), 'a'));
    const megabyte = `${'x'.repeat(1024 * 1024 - 1)}\n`;
    // All in one turn of the event loop: nothing can be written meanwhile.
    for (let i = 0; i < 12; i++) sink.write(megabyte);
    assert.equal(sink.droppedLines, 4);
    sink.flushSync();
  });
});
