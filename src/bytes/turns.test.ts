import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turns } from './turns.ts';

describe('turns', () => {
  test('let a reader send at once as long as no crowd comes in', () => {
    const turns = new Turns();
    for (const nowMs of [0, 100, 200]) turns.arrive(nowMs);
    for (let piece = 0; piece < 100; piece += 1) assert.equal(turns.next(201), undefined);
  });

  test('let a few pieces out each time the event loop goes around while a crowd comes in, in the order asked for', async () => {
    const turns = crowded();
    const sent: number[] = [];
    for (let reader = 0; reader < 10; reader += 1) void sendLater(turns, reader, sent);
    const counts = [sent.length];
    for (let turn = 0; sent.length < 10 && turn < 20; turn += 1) {
      await nextTurn();
      counts.push(sent.length);
    }
    assert.deepEqual(sent, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(counts, [4, 8, 10]);
  });

  test('mind nobody any more once the crowd is in', async () => {
    const turns = crowded();
    const sent: number[] = [];
    for (let reader = 0; reader < 9; reader += 1) void sendLater(turns, reader, sent);
    for (let piece = 0; piece < 100; piece += 1) assert.equal(turns.next(1000), undefined);
    await Promise.resolve();
    assert.equal(sent.length, 9);
  });
});

function crowded(): Turns {
  const turns = new Turns();
  turns.arrive(0);
  turns.arrive(1);
  return turns;
}

async function sendLater(turns: Turns, reader: number, sent: number[]): Promise<void> {
  const turn = turns.next(2);
  if (turn !== undefined) await turn;
  sent.push(reader);
}
