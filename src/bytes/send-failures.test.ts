import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BufferPool } from './buffer-pool.ts';
import { all, content, send, TestSink, TestSource } from './testing.ts';
import type { Left } from './testing.ts';

describe('sending a blob that somebody fails at', () => {
  test('throws when the content ends early', async () => {
    const source = new TestSource(content);
    await assert.rejects(send(source, new TestSink(), [{ ...all, end: content.length + 1 }]), /ended at byte 3000000/);
    assert.ok(source.disposed);
  });

  test('stops at once, and ends the source, when the client leaves while bytes are still awaited', async () => {
    const source = new TestSource(content);
    const late = Promise.withResolvers<number>();
    source.instead = () => late.promise;
    const sink = new TestSink();
    const pool = new BufferPool();
    const sending = send(source, sink, [all], '', pool);
    await nextTurn();
    sink.leave(new Error('left'));
    await assert.rejects(sending, /left/);
    assert.ok(source.disposed);
    assert.ok(pool.lentBytes > 0, 'a read that is still under way keeps its buffer');
    late.resolve(1);
    await nextTurn();
    assert.equal(pool.lentBytes, 0);
  });

  test('hears of writes that fail after the client has left', async () => {
    const sink = new TestSink(false);
    const source = new TestSource(content);
    const [first, never] = [content.subarray(0, 1_000), new Promise<never>(() => {})];
    source.instead = async (into) => (source.reads === 1 ? first.copy(into) : await never);
    const sending = send(source, sink);
    while (source.reads < 2) await nextTurn();
    sink.leave(new Error('the client left'));
    await assert.rejects(sending, /the client left/);
    sink.pending[0]?.(new Error('EPIPE'));
    await nextTurn();
  });

  test('hears of a write that fails after the client has left during it', async () => {
    const sink = new TestSink(false);
    const write = sink.write.bind(sink);
    sink.write = (bytes, left) => {
      write(bytes, left);
      sink.leave(new Error('the client left'));
    };
    await assert.rejects(send(new TestSource(content, content.length), sink), /the client left/);
    sink.pending[0]?.(new Error('EPIPE'));
    await nextTurn();
  });

  test('lets what was written before a failure leave first', async () => {
    const source = new TestSource(content);
    source.instead = async (into, position) => {
      if (position > 0) throw new Error('cut');
      return into.length;
    };
    const sink = new TestSink(false);
    let settled = false;
    const sending = send(source, sink).finally(() => (settled = true));
    while (sink.pending.length === 0) await nextTurn();
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    assert.equal(settled, false);
    sink.pending[0]?.();
    await assert.rejects(sending, /cut/);
    assert.ok(source.disposed);
  });

  test('stops when the sink throws, at whatever piece', async () => {
    for (const [good, nowUpTo] of [0, 1, 3].flatMap((each) => [[each, 0] as const, [each, content.length] as const])) {
      const source = new TestSource(content, nowUpTo);
      const sink = new TestSink();
      const pool = new BufferPool();
      const write = (bytes: Uint8Array | string, left: Left): void => {
        if (sink.received.length === good) throw new Error('a bug');
        sink.write(bytes, left);
      };
      await assert.rejects(send(source, { gone: sink.gone, write }, [all], '', pool), /a bug/);
      assert.deepEqual([source.disposed, pool.lentBytes], [true, 0]);
    }
  });

  test('stops when a write fails', async () => {
    const source = new TestSource(content);
    const sink = new TestSink(false);
    const sending = send(source, sink);
    while (sink.pending.length === 0) await nextTurn();
    sink.pending[0]?.(new Error('EPIPE'));
    await assert.rejects(sending, /EPIPE/);
    assert.ok(source.disposed);
  });
});
