import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeBlob } from '../../test/support/blobs.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { blockBytes, Blocks } from './blocks.ts';
import { gatherMs, Gathering } from './gathering.ts';

const content = makeBlob(4 * blockBytes, 'gathering').bytes();

interface Stage {
  readonly gathering: Gathering;
  readonly clock: FakeClock;
  /** Where what was put began and ended, put by put. */
  readonly puts: readonly (readonly [start: number, end: number])[];
  readonly bytes: Buffer;
  /** Adds the content from there on in pieces as a network brings them. */
  readonly bring: (from: number, to: number, pieceBytes?: number) => Promise<void>;
}

function stageOf(blocks = new Blocks(), failure?: () => Error | undefined): Stage {
  const clock = new FakeClock();
  const puts: [number, number][] = [];
  const bytes = Buffer.alloc(content.length);
  const put = async (piece: Uint8Array, position: number): Promise<void> => {
    await nextTurn();
    const error = failure?.();
    if (error !== undefined) throw error;
    bytes.set(piece, position);
    puts.push([position, position + piece.length]);
  };
  const gathering = new Gathering(put, blocks, clock);
  const bring = async (from: number, to: number, pieceBytes = 60_000): Promise<void> => {
    for (let at = from; at < to; at += pieceBytes) {
      await gathering.add(content.slice(at, Math.min(at + pieceBytes, to)), at);
    }
  };
  return { gathering, clock, puts, bytes, bring };
}

describe('what comes fast', () => {
  test('is put where blocks end, but for its first piece', async () => {
    const { gathering, puts, bytes, bring } = stageOf();
    await bring(0, content.length);
    await gathering.flush();
    assert.ok(bytes.equals(content));
    const ends = [60_000, ...[1, 2, 3, 4].map((nth) => nth * blockBytes)];
    assert.deepEqual(
      puts,
      ends.map((end, nth) => [ends[nth - 1] ?? 0, end]),
    );
  });

  test('is put in order, whatever the size of its pieces', async () => {
    for (const pieceBytes of [1, 16_384, blockBytes, 3 * blockBytes + 1]) {
      const { gathering, puts, bytes, bring } = stageOf();
      const to = pieceBytes === 1 ? 2000 : content.length;
      await bring(1000, to, pieceBytes);
      await gathering.flush();
      assert.ok(bytes.subarray(1000, to).equals(content.subarray(1000, to)));
      for (const [nth, [start]] of puts.entries()) assert.equal(start, puts[nth - 1]?.[1] ?? 1000);
    }
  });

  test('is put before what comes elsewhere', async () => {
    const { gathering, puts, bring } = stageOf();
    await bring(0, 120_000);
    await bring(500_000, 510_000);
    await gathering.flush();
    assert.deepEqual(puts, [
      [0, 60_000],
      [60_000, 120_000],
      [500_000, 510_000],
    ]);
  });

  test('is put after a moment when nothing more comes', async () => {
    const { gathering, clock, puts, bring } = stageOf();
    await bring(0, 120_000);
    await clock.advance(gatherMs - 1);
    assert.ok(!gathering.isEmpty && puts.length === 1);
    await clock.advance(1);
    await gathering.flush();
    assert.deepEqual(puts.at(-1), [60_000, 120_000]);
  });
});

describe('what comes slowly, or finds no memory', () => {
  test('is put as it comes', async () => {
    const slow = stageOf();
    for (const at of [0, 1000, 2000]) {
      await slow.bring(at, at + 1000);
      await slow.clock.advance(gatherMs + 1);
    }
    assert.equal(slow.puts.length, 3);
    const crammed = stageOf(new Blocks(0));
    await crammed.bring(0, 240_000);
    assert.equal(crammed.puts.length, 4);
  });

  test('has memory again once others have put theirs', async () => {
    const blocks = new Blocks(1);
    const [one, other] = [stageOf(blocks), stageOf(blocks)];
    await one.bring(0, 120_000);
    await other.bring(0, 120_000);
    assert.deepEqual([one.gathering.isEmpty, other.gathering.isEmpty], [false, true]);
    await one.gathering.flush();
    await other.bring(120_000, 180_000);
    assert.equal(other.gathering.isEmpty, false);
  });
});

test('a put that fails is told of to whoever adds next, and to whoever flushes', async () => {
  const blocks = new Blocks(1);
  const failures: Error[] = [];
  const { gathering, clock, bring } = stageOf(blocks, () => failures[0]);
  await bring(0, 120_000);
  failures.push(new Error('no space'));
  await clock.advance(gatherMs);
  await assert.rejects(bring(120_000, 180_000), /no space/);
  await assert.rejects(gathering.flush(), /no space/);
  assert.ok(blocks.take() !== undefined, 'its memory is back');
});
