import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { batched, descriptorSink } from './sink.ts';
import type { Sink } from './sink.ts';

function recorder(): Sink & { readonly writes: string[] } {
  const writes: string[] = [];
  return {
    writes,
    write: (lines) => void writes.push(lines),
    flush: async () => {},
    flushSync: () => {},
    droppedLines: 0,
  };
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
    for (let i = 0; i < 500; i++) sink.write(`${'x'.repeat(199)}\n`);
    assert.ok(inner.writes.length > 0);
    sink.flushSync();
    assert.equal(inner.writes.join('').length, 100_000);
  });
});

/** What is there, 0 when nothing is. */
function readNow(fd: number, into: Buffer, at: number): number {
  try {
    return readSync(fd, into, at, into.length - at, null);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}

describe('a descriptor sink', () => {
  test('has written everything, in order, when flushed', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('log');
    const sink = descriptorSink(openSync(path, 'a'), new FakeClock());
    const lines = Array.from({ length: 1000 }, (_, at) => `${at} ${'x'.repeat(500)}\n`);
    for (const line of lines) {
      sink.write(line);
      if (Math.random() < 0.01) await sink.flush();
    }
    await sink.flush();
    assert.equal(readFileSync(path, 'utf8'), lines.join(''));
    assert.equal(sink.droppedLines, 0);
  });

  test('writes what waits when the process cannot wait', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('log');
    const sink = descriptorSink(openSync(path, 'a'), new FakeClock());
    sink.write('one\n');
    sink.write('two\n');
    sink.flushSync();
    assert.match(readFileSync(path, 'utf8'), /two\n/);
    await sink.flush();
  });

  test('drops and counts lines that a stuck reader leaves lying', async () => {
    await using dir = await TempDir.make();
    const sink = descriptorSink(openSync(dir.join('log'), 'a'), new FakeClock());
    const megabyte = `${'x'.repeat(1024 * 1024 - 1)}\n`;
    // All in one turn of the event loop: the first is on its way, the others wait.
    for (let i = 0; i < 12; i++) sink.write(megabyte);
    assert.equal(sink.droppedLines, 3);
    await sink.flush();
  });

  test('waits for a full pipe, and writes on when it is read again', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const clock = new FakeClock();
    const sink = descriptorSink(writer, clock);
    const text = `${'x'.repeat(199)}\n`.repeat(1000);
    sink.write(text);
    await clock.pending(1);
    const buffer = Buffer.alloc(1_000_000);
    let got = readNow(reader, buffer, 0);
    assert.ok(got < text.length, 'the pipe was to be full');
    const flushed = sink.flush();
    for (let done = false; !done;) {
      done = await Promise.race([flushed.then(() => true), clock.pending(1).then(() => false)]);
      got += readNow(reader, buffer, got);
      await clock.advance(5);
    }
    assert.equal(buffer.toString('utf8', 0, got), text);
    closeSync(writer);
    closeSync(reader);
  });

  test('goes on without a reader that has gone, and counts what that costs', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    closeSync(reader);
    const sink = descriptorSink(writer, new FakeClock());
    sink.write('one\ntwo\n');
    await sink.flush();
    sink.write('three\n');
    await sink.flush();
    sink.flushSync();
    assert.equal(sink.droppedLines, 3);
    closeSync(writer);
  });
});
