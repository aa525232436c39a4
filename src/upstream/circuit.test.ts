import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Circuit, healthOf, illRunMax, openMsMax } from './circuit.ts';
import type { Health, Leave } from './circuit.ts';
import type { Breakdown } from './failure.ts';

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

  test('closes when the body of a probe begins, whose end is nobody waits for', async () => {
    const { circuit, leave, states, clock } = setUp();
    circuit.report(leave(), dead);
    await clock.advance(1000);
    const first = leave();
    circuit.answers();
    assert.equal(circuit.open, false);
    circuit.report(leave(), dead);
    assert.equal(circuit.open, true);
    await clock.advance(1000);
    leave();
    circuit.report(first, ill);
    assert.ok('error' in circuit.enter(), 'the second probe is still under way');
    assert.deepEqual(states, ['open', 'closed', 'open']);
  });
});

describe('the other side', () => {
  const cases: readonly (readonly [string, Health['kind'], status: number, bytes: number, how?: Partial<Breakdown>])[] =
    [
      ['that answers 200 is well', 'well', 200, 7],
      ['that answers 404 is well', 'well', 404, 0],
      ['that answers 500 is ill', 'ill', 500, 7],
      ['that cannot be connected to is dead', 'dead', 0, 0, { stage: 'connect', why: 'refused' }],
      ['that does not answer in time is dead', 'dead', 0, 0, { stage: 'headers', why: 'timeout' }],
      ['that breaks off before its answer is ill', 'ill', 0, 0, { stage: 'headers' }],
      ['that breaks a body off before its first byte is ill', 'ill', 200, 0, {}],
      ['that breaks a body off after some bytes is well', 'well', 206, 7, {}],
      ['that sends nothing of a body is ill', 'ill', 200, 0, { why: 'timeout' }],
      ['that falls silent in the middle of a body may be well or not', 'unknown', 200, 7, { why: 'timeout' }],
    ];
  for (const [what, kind, status, bytes, how] of cases) {
    test(what, () => {
      const breakdown = how && ({ stage: 'body', why: 'cut', text: 'broken', ...how } as const);
      const head = status === 0 ? undefined : { status, headers: {} };
      assert.equal(healthOf({ head, bytes, breakdown, stale: false }, false), kind);
    });
  }

  test('that does not end a small body in time is ill', () => {
    const breakdown = { stage: 'body', why: 'timeout', text: 'late' } as const;
    assert.equal(healthOf({ head: { status: 200, headers: {} }, bytes: 7, breakdown, stale: false }, true), 'ill');
  });
});
