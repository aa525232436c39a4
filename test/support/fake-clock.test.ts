import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.ts';

test('time stands still until it is moved, and both its readings move together', async () => {
  const clock = new FakeClock(5000);
  assert.deepEqual([clock.now(), clock.monotonic()], [5000, 0]);
  await clock.advance(250);
  assert.deepEqual([clock.now(), clock.monotonic()], [5250, 250]);
});

test('timers run in the order in which they fall due, each at its own time', async () => {
  const clock = new FakeClock(0);
  const ran: string[] = [];
  clock.setTimer(30, () => ran.push(`c ${clock.now()}`));
  clock.setTimer(10, () => {
    ran.push(`a ${clock.now()}`);
    clock.setTimer(10, () => ran.push(`b ${clock.now()}`));
  });
  clock.setTimer(10, () => ran.push(`a again ${clock.now()}`));
  clock.setTimer(31, () => ran.push('too early'));
  clock.setTimer(5, () => ran.push('cancelled')).cancel();
  await clock.advance(30);
  assert.deepEqual(ran, ['a 10', 'a again 10', 'b 20', 'c 30']);
});

test('whoever slept has gone on by the time that advance resolves', async () => {
  const clock = new FakeClock();
  const steps: number[] = [];
  const walk = async (): Promise<void> => {
    for (let step = 0; step < 3; step++) {
      await clock.sleep(100);
      steps.push(clock.monotonic());
    }
  };
  const walked = walk();
  await clock.advance(300);
  assert.deepEqual(steps, [100, 200, 300]);
  await walked;
});

test('a sleep ends early when its signal aborts', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const sleep = clock.sleep(1000, controller.signal);
  await clock.pending(1);
  controller.abort(new Error('enough'));
  await assert.rejects(sleep, /enough/);
  await assert.rejects(clock.sleep(1000, controller.signal), /enough/);
});

test('pending resolves when as many wait as were expected', async () => {
  const clock = new FakeClock();
  let seen = false;
  const waiting = clock.pending(2).then(() => (seen = true));
  clock.setTimer(1, () => undefined);
  await clock.advance(0);
  assert.equal(seen, false);
  clock.setTimer(1, () => undefined);
  await waiting;
});
