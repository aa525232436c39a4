import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Circuit, illRunMax, openMsMax } from './circuit.ts';
import type { Health, Leave } from './circuit.ts';

const error = new RegistryError('UPSTREAM_UNREACHABLE', 'no route');
const dead: Health = { kind: 'dead', error };
const ill: Health = { kind: 'ill', error };
const well: Health = { kind: 'well' };

function setUp() {
  const clock = new FakeClock();
  const states: string[] = [];
  const circuit = new Circuit(clock, (state) => states.push(state));
  const leave = (): Leave => {
    const answer = circuit.enter();
    assert.ok(!('error' in answer), 'it may be asked');
    return answer;
  };
  return { clock, states, circuit, leave };
}

describe('a circuit', () => {
  test('opens after one failure to connect, and fails the next at once', () => {
    const { circuit, leave, states } = setUp();
    circuit.report(leave(), dead);
    assert.deepEqual(circuit.enter(), { error, waitMs: 1000 });
    assert.deepEqual(states, ['open']);
  });

  test('lets one probe through after a second, and closes when it is well', async () => {
    const { circuit, leave, states, clock } = setUp();
    circuit.report(leave(), dead);
    await clock.advance(1000);
    const probe = leave();
    assert.ok('error' in circuit.enter(), 'one probe at a time');
    circuit.report(probe, well);
    assert.equal(circuit.open, false);
    leave();
    assert.deepEqual(states, ['open', 'closed']);
  });

  test('waits twice as long after every failed probe, never more than five seconds', async () => {
    const { circuit, leave, clock } = setUp();
    circuit.report(leave(), dead);
    for (const waitMs of [1000, 2000, 4000, openMsMax, openMsMax]) {
      assert.deepEqual(circuit.enter(), { error, waitMs });
      await clock.advance(waitMs);
      circuit.report(leave(), ill);
    }
  });

  test('lets another probe through when the first was given up', async () => {
    const { circuit, leave, clock } = setUp();
    circuit.report(leave(), dead);
    await clock.advance(1000);
    circuit.report(leave(), { kind: 'unknown' });
    leave();
  });

  test('stays closed while others are answered', async () => {
    const { circuit, leave, clock } = setUp();
    const slow = leave();
    await clock.advance(10_000);
    circuit.report(leave(), well);
    circuit.report(slow, dead);
    assert.equal(circuit.open, false);
  });

  test('opens after a run of 5xx answers and broken connections', () => {
    const { circuit, leave } = setUp();
    for (let count = 1; count < illRunMax; count++) circuit.report(leave(), ill);
    circuit.report(leave(), well);
    for (let count = 1; count < illRunMax; count++) circuit.report(leave(), ill);
    assert.equal(circuit.open, false);
    circuit.report(leave(), ill);
    assert.equal(circuit.open, true);
  });

  test('closes when a request that was under way is answered', () => {
    const { circuit, leave } = setUp();
    const [early, late] = [leave(), leave()];
    circuit.report(early, dead);
    circuit.report(late, well);
    assert.equal(circuit.open, false);
  });
});
