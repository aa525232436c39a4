import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Event } from './events.ts';
import { Recurring } from './recurring.ts';

function setUp(run: (signal: AbortSignal) => Promise<unknown>) {
  const clock = new FakeClock();
  const events: Event[] = [];
  const observer = { emit: (event: Event) => events.push(event) };
  const recurring = new Recurring({ name: 'tidying', firstAfterMs: 100, pauseMs: 1_000, run }, clock, observer);
  return { clock, events, recurring };
}

describe('work that comes back', () => {
  test('comes so long after it was done, also when it failed, which is told', async () => {
    let runs = 0;
    const { clock, events, recurring } = setUp(async () => {
      runs += 1;
      throw new Error('no broom');
    });
    await clock.advance(99);
    assert.equal(runs, 0);
    await clock.advance(1);
    assert.equal(runs, 1);
    await clock.advance(1_000);
    assert.equal(runs, 2);
    assert.deepEqual(events[0], { type: 'task.failed', task: 'tidying', message: 'no broom' });
    await recurring[Symbol.asyncDispose]();
  });

  test('is waited for when it is not wanted any more, hears of that, and does not come again', async () => {
    let runs = 0;
    const { clock, events, recurring } = setUp(async (signal) => {
      runs += 1;
      await clock.sleep(1_000_000, signal);
    });
    await clock.advance(100);
    await recurring[Symbol.asyncDispose]();
    await clock.advance(10_000_000);
    assert.equal(runs, 1);
    assert.deepEqual(events, []);
  });
});
