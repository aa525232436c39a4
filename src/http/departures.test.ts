import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Departures } from './departures.ts';

/** A socket a place in `left`, in the order in which they are written to. */
function depart(
  departures: Departures,
  count: number,
  left: number[] = [],
): { left: number[]; sockets: PassThrough[] } {
  const sockets = Array.from({ length: count }, (_, position) => {
    const socket = new PassThrough();
    socket.on('data', (bytes: Buffer) => left.push(bytes[0] ?? 0));
    departures.add({ socket, bytes: Buffer.of(position), left: (error) => assert.ifError(error) });
    return socket;
  });
  return { left, sockets };
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, each) => each);

test('the first answer of a turn leaves at once, the others at its end, in order', async () => {
  const departures = new Departures();
  for (let turn = 0; turn < 3; turn += 1) {
    const { left } = depart(departures, 5);
    assert.deepEqual(left, [0]);
    await nextTurn();
    assert.deepEqual(left, upTo(5));
  }
});

test('sixteen of them wait for no more', async () => {
  const departures = new Departures();
  const { left } = depart(departures, 20);
  assert.deepEqual(left, upTo(17));
  departures.goNow();
  assert.deepEqual(left, upTo(20));
  await nextTurn();
  assert.equal(left.length, 20);
});

test('whoever has gone meanwhile is left out', async () => {
  const { left, sockets } = depart(new Departures(), 4);
  sockets[2]?.destroy();
  await nextTurn();
  assert.deepEqual(left, [0, 1, 3]);
});
