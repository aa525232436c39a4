import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob } from '../../test/support/images.ts';
import { plainUpstream } from '../config/upstream-defaults.ts';
import { parseDigest } from '../oci/digest.ts';
import { fetchBlob, makeRig } from './testing.ts';

const blob = makeBlob(300_000, 'paced');
const other = makeBlob(1_000, 'other');

/** One place, and one blob on its way in it, which its sink holds back. */
async function heldBack(how: { readonly paced: boolean }) {
  const scope = new AsyncDisposableStack();
  const registry = scope.use(await CountingUpstream.start());
  for (const each of [blob, other]) registry.publishBlob('library/redis', each);
  const clock = new FakeClock();
  const { timeouts } = plainUpstream('reg.test');
  const habits = { concurrency: 1, timeouts: { ...timeouts, stallMs: 2_000 } };
  const rig = scope.use(makeRig(registry.origin, habits, { clock }));
  const aborter = new AbortController();
  const held = Promise.withResolvers<void>();
  const wish = Promise.withResolvers<boolean>();
  const arrived: Uint8Array[] = [];
  const sink = {
    head: () => true,
    data: (chunk: Uint8Array) => {
      arrived.push(chunk);
      held.resolve();
      return wish.promise;
    },
  };
  const request = { start: 0, end: undefined, etag: undefined, signal: aborter.signal, ...how };
  const running = rig.repository.blob(parseDigest(blob.digest), request, sink, 'anonymous');
  running.catch(() => {});
  await held.promise;
  return {
    registry,
    clock,
    aborter,
    wish,
    running,
    bytes: () => Buffer.concat(arrived),
    fetchOther: () => fetchBlob(rig.repository, other.digest),
    transfers: () => rig.upstream.status().transfers,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

describe('a transfer that its reader holds back', () => {
  test('leaves its place to others, and goes on where it was', async () => {
    await using stage = await heldBack({ paced: true });
    await stage.clock.advance(99);
    assert.equal(stage.transfers(), 1, 'a moment is nothing');
    await stage.clock.advance(1);
    assert.equal(stage.transfers(), 0);
    assert.equal((await stage.fetchOther()).found, true);
    stage.wish.resolve(true);
    assert.equal(await stage.running, true);
    assert.deepEqual(stage.bytes(), blob.bytes());
    assert.equal(stage.transfers(), 0);
    assert.equal(stage.registry.count({ path: blob.digest }), 1);
  });

  test('keeps its place where it is not a reader that its sink waits for', async () => {
    await using stage = await heldBack({ paced: false });
    await stage.clock.advance(1_000);
    assert.equal(stage.transfers(), 1);
    stage.wish.resolve(true);
    assert.equal(await stage.running, true);
  });

  test('waits for its turn to go on, which is no stall', async () => {
    await using stage = await heldBack({ paced: true });
    const gate = stage.registry.gate({ path: other.digest });
    await stage.clock.advance(100);
    const fetching = stage.fetchOther();
    await gate.arrived();
    stage.wish.resolve(true);
    const before = stage.bytes().length;
    for (let second = 0; second < 9; second++) await stage.clock.advance(1_000);
    gate.release();
    await fetching;
    assert.equal(before, stage.bytes().length, 'it waited');
    assert.equal(await stage.running, true);
    assert.deepEqual(stage.bytes(), blob.bytes());
  });

  test('leaves no place behind when it ends, however it ends', async () => {
    const endings = [
      ['given up', (stage) => stage.aborter.abort(new Error('given up'))],
      ['disk full', (stage) => stage.wish.reject(new Error('disk full'))],
      [undefined, (stage) => stage.wish.resolve(false)],
    ] as const satisfies readonly (readonly [string | undefined, (stage: Stage) => void])[];
    for (const [failure, end] of endings) {
      await using stage = await heldBack({ paced: true });
      await stage.clock.advance(100);
      end(stage);
      if (failure === undefined) assert.equal(await stage.running, true);
      else await assert.rejects(stage.running, new RegExp(failure));
      assert.equal(stage.transfers(), 0);
      assert.equal((await stage.fetchOther()).found, true);
    }
  });

  test('leaves no place behind when it is given up while it waits for one', async () => {
    await using stage = await heldBack({ paced: true });
    const gate = stage.registry.gate({ path: other.digest });
    await stage.clock.advance(100);
    const fetching = stage.fetchOther();
    await gate.arrived();
    stage.wish.resolve(true);
    await nextTurn();
    stage.aborter.abort(new Error('given up'));
    await assert.rejects(stage.running, /given up/);
    gate.release();
    await fetching;
    assert.equal(stage.transfers(), 0);
  });
});

type Stage = Awaited<ReturnType<typeof heldBack>>;
