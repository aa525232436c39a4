import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeBlob } from '../../test/support/blobs.ts';
import { blockBytes, Blocks } from './blocks.ts';
import { Recent } from './recent.ts';

const content = makeBlob(4 * blockBytes, 'recent').bytes();

/** Adds the content from there on in pieces as a network brings them. */
function bring(recent: Recent, from: number, to: number, pieceBytes = 60_000): void {
  for (let at = from; at < to; at += pieceBytes) {
    recent.add(content.subarray(at, Math.min(at + pieceBytes, to)), at);
  }
}

describe('the newest bytes', () => {
  test('are lent as they came, from any position, and no more of them than is asked for', () => {
    const recent = new Recent(new Blocks());
    bring(recent, 1000, content.length);
    assert.equal(recent.lend(999, 10), undefined);
    assert.equal(recent.lend(content.length, 10), undefined);
    assert.equal(recent.lend(5000, 0), undefined);
    for (let position = 1000; position < content.length;) {
      const lent = recent.lend(position, 100_000);
      assert.ok(lent !== undefined && lent.bytes.length > 0 && lent.bytes.length <= 100_000);
      assert.ok(content.subarray(position, position + lent.bytes.length).equals(lent.bytes));
      lent.letGo();
      position += lent.bytes.length;
    }
  });

  test('may come in several places at once', () => {
    const recent = new Recent(new Blocks());
    for (let step = 0; step < 5; step += 1) {
      for (const start of [0, blockBytes, 3 * blockBytes])
        bring(recent, start + step * 9000, start + (step + 1) * 9000);
    }
    for (const start of [0, blockBytes, 3 * blockBytes]) {
      const lent = recent.lend(start, blockBytes);
      assert.ok(lent !== undefined && content.subarray(start, start + 45_000).equals(lent.bytes));
    }
  });

  test('take the place of the oldest, but of none that somebody has', () => {
    const recent = new Recent(new Blocks(2));
    bring(recent, 0, 2 * blockBytes);
    const first = recent.lend(0, blockBytes);
    assert.ok(first !== undefined);
    bring(recent, 2 * blockBytes, 4 * blockBytes);
    assert.ok(content.subarray(0, blockBytes).equals(first.bytes));
    assert.equal(recent.lend(blockBytes, 1), undefined, 'it had to go');
    const last = recent.lend(3 * blockBytes, blockBytes);
    assert.ok(last !== undefined && content.subarray(3 * blockBytes).equals(last.bytes));
  });

  test('are not kept while all memory is in the hands of readers', () => {
    const recent = new Recent(new Blocks(1));
    bring(recent, 0, blockBytes);
    const lent = recent.lend(0, blockBytes);
    bring(recent, blockBytes, 2 * blockBytes);
    assert.equal(recent.lend(blockBytes, 1), undefined);
    lent?.letGo();
    bring(recent, 2 * blockBytes, 3 * blockBytes);
    assert.ok(recent.lend(2 * blockBytes, 1) !== undefined);
  });

  test('are read back, once for all, when a crowd has fallen behind them', () => {
    const recent = new Recent(new Blocks(2));
    bring(recent, 0, 4 * blockBytes);
    let reads = 0;
    const readNow = (into: Uint8Array, position: number): number => {
      reads += 1;
      return content.copy(into, 0, position);
    };
    assert.equal(recent.lend(1000, 10), undefined);
    const first = recent.lendAgain(1000, blockBytes, readNow);
    assert.ok(first !== undefined && content.subarray(1000, 1000 + blockBytes).equals(first.bytes));
    const second = recent.lend(5000, 100);
    assert.ok(second !== undefined && content.subarray(5000, 5100).equals(second.bytes));
    assert.equal(reads, 1);
    assert.equal(recent.lendAgain(0, 0, readNow), undefined);
  });

  test('leave the memory to others where they cannot be read back', () => {
    const recent = new Recent(new Blocks(1));
    assert.equal(
      recent.lendAgain(0, blockBytes, () => undefined),
      undefined,
    );
    bring(recent, 0, 100);
    assert.ok(recent.lend(0, 100) !== undefined);
  });

  test('are not kept when they come after it is over', () => {
    const pool = new Blocks();
    const recent = new Recent(pool);
    bring(recent, 0, blockBytes);
    recent[Symbol.dispose]();
    bring(recent, blockBytes, 2 * blockBytes);
    assert.equal(recent.lend(blockBytes, 10), undefined);
    const others = new Recent(pool);
    bring(others, 0, content.length);
    assert.ok(others.lend(0, 10) !== undefined, 'all memory is theirs');
  });

  test('leave their memory to others when it is over, once nobody has it', () => {
    const pool = new Blocks(1);
    const [one, other] = [new Recent(pool), new Recent(pool)];
    bring(one, 0, blockBytes);
    const lent = one.lend(0, blockBytes);
    one[Symbol.dispose]();
    bring(other, 0, blockBytes);
    assert.equal(other.lend(0, 1), undefined);
    assert.ok(lent !== undefined && content.subarray(0, blockBytes).equals(lent.bytes));
    lent.letGo();
    bring(other, 0, blockBytes);
    assert.ok(other.lend(0, 1) !== undefined);
  });
});
