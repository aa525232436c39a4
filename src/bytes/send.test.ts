import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BufferPool } from './buffer-pool.ts';
import { all, content, send, TestSink, TestSource } from './testing.ts';
import type { Left } from './testing.ts';

describe('sending a blob', () => {
  test('sends all bytes in order and ends the source', async () => {
    const source = new TestSource(content);
    const sink = new TestSink();
    await send(source, sink);
    assert.ok(sink.text.equals(content));
    assert.ok(source.disposed);
  });

  test('sends slices in the order given, each after its prefix, and the tail at the end', async () => {
    const sink = new TestSink();
    const slices = [
      { prefix: '[one]', start: 1_000_000, end: 1_000_010, verified: false },
      { prefix: '[two]', start: 5, end: 1_500_000, verified: false },
    ];
    await send(new TestSource(content), sink, slices, '[end]');
    const expected = [
      Buffer.from('[one]'),
      content.subarray(1_000_000, 1_000_010),
      Buffer.from('[two]'),
      content.subarray(5, 1_500_000),
      Buffer.from('[end]'),
    ];
    assert.ok(sink.text.equals(Buffer.concat(expected)));
  });

  test('lets others have their turn where a receiver takes everything at once', async () => {
    const sink = new TestSink();
    const write = (bytes: Uint8Array | string, left: Left): void => {
      sink.received.push(Buffer.from(bytes));
      left();
    };
    let turns = 0;
    let ended = false;
    const others = (): void => {
      turns += 1;
      if (!ended) setImmediate(others);
    };
    setImmediate(others);
    const slice = { ...all, prefix: '[it]' };
    await send(new TestSource(content, content.length), { gone: sink.gone, write }, [slice]);
    ended = true;
    assert.ok(sink.text.equals(Buffer.concat([Buffer.from('[it]'), content])));
    assert.ok(turns >= 5, `${turns} turns for ${content.length} bytes`);
  });

  test('sends what lies in memory from there, and lets go of it when it has left', async () => {
    const source = new TestSource(content);
    const lends = { lent: 0, most: 0, count: 0 };
    const lend = (position: number, lengthMax: number) => {
      // Every other piece, so that reading and lending take turns.
      if (position % 100_000 !== 0) return undefined;
      lends.count += 1;
      lends.most = Math.max(lends.most, (lends.lent += 1));
      const bytes = content.subarray(position, position + Math.min(lengthMax, 50_000));
      return { bytes, letGo: () => void (lends.lent -= 1) };
    };
    source.instead = async (into, position) => {
      const end = Math.min(position + into.length, Math.ceil((position + 1) / 100_000) * 100_000);
      return content.copy(into, 0, position, end);
    };
    const sink = new TestSink();
    await send(Object.assign(source, { lend }), sink);
    assert.ok(sink.text.equals(content));
    assert.equal(lends.count, 30);
    assert.equal(lends.lent, 0);
    assert.ok(lends.most <= 2);
  });

  test('sends nothing of an empty blob', async () => {
    const sink = new TestSink();
    await send(new TestSource(Buffer.alloc(0)), sink, [{ ...all, end: 0 }]);
    assert.equal(sink.text.length, 0);
  });

  test('copes with a source that gives a byte at a time', async () => {
    const source = new TestSource(content);
    source.instead = async (into, position) => {
      into[0] = content[position] ?? 0;
      return 1;
    };
    const sink = new TestSink();
    await send(source, sink, [{ ...all, end: 200 }]);
    assert.ok(sink.text.equals(content.subarray(0, 200)));
  });

  test('reads one piece ahead of a client that takes nothing, and no further', async () => {
    const source = new TestSource(content);
    const sink = new TestSink(false);
    const pool = new BufferPool();
    const sending = send(source, sink, [all], '', pool);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.equal(source.reads, 2);
    assert.equal(sink.pending.length, 1);
    assert.ok(pool.lentBytes <= 2 * 256 * 1024);
    sink.leave(new Error('left'));
    await assert.rejects(sending, /left/);
  });

  test('reads what is in memory only when the client takes it, with one buffer', async () => {
    const source = new TestSource(content, content.length);
    const sink = new TestSink(false);
    const pool = new BufferPool();
    const sending = send(source, sink, [all], '', pool);
    while (sink.pending.length === 0) await nextTurn();
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.deepEqual([sink.pending.length, source.reads], [1, 0]);
    assert.equal(pool.lentBytes, sink.received[0]?.length);
    sink.leave(new Error('left'));
    await assert.rejects(sending, /left/);
  });

  test('goes on with what is not in memory, and comes back to what is', async () => {
    const source = new TestSource(content, 1_000_000);
    const sink = new TestSink();
    const slices = [all, { ...all, end: 500_000 }];
    await send(source, sink, slices);
    assert.ok(sink.text.equals(Buffer.concat([content, content.subarray(0, 500_000)])));
    assert.ok(source.reads > 0);
  });

  test('returns every buffer to the pool', async () => {
    const pool = new BufferPool();
    await send(new TestSource(content), new TestSink(), [all], '', pool);
    await nextTurn();
    assert.equal(pool.lentBytes, 0);
    assert.equal(pool.readers, 0);
  });

  test('writes nothing before the first piece was read, so that a failure can still be told', async () => {
    const source = new TestSource(content);
    source.instead = () => Promise.reject(new Error('upstream says no'));
    const sink = new TestSink();
    await assert.rejects(send(source, sink, [{ ...all, prefix: '--part' }]), /upstream says no/);
    assert.equal(sink.received.length, 0);
    assert.ok(source.disposed);
  });
});
