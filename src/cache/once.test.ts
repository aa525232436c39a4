import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { thisProcess } from './holder.ts';
import { OnceInCluster } from './once.ts';
import { overTime, PlayLeases } from './testing.ts';

const nothing = async (): Promise<undefined> => undefined;

/** Work that the test ends. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const begun = { times: 0 };
  return {
    begun,
    resolve,
    reject,
    run: (): Promise<string> => {
      begun.times += 1;
      return promise;
    },
  };
}

describe('work that is done once in the cluster', () => {
  const setUp = () => {
    const [leases, clock] = [new PlayLeases(), new FakeClock()];
    const processes = [0, 1].map(() => new OnceInCluster(leases, clock, thisProcess()));
    const [here, there] = processes;
    assert.ok(here !== undefined && there !== undefined);
    return { leases, clock, here, there };
  };

  test('is shared by all who ask for it meanwhile', async () => {
    const { leases, here } = setUp();
    const { begun, resolve, run } = work();
    const asking = [0, 1, 2].map(() => here.run('key', nothing, run));
    resolve('done');
    const answers = await Promise.all(asking);
    assert.deepEqual(answers, [
      { value: 'done', shared: false },
      { value: 'done', shared: true },
      { value: 'done', shared: true },
    ]);
    assert.deepEqual([begun.times, leases.acquired], [1, 1]);
  });

  test('is done anew for who asks afterwards, and other work does not wait for it', async () => {
    const { here } = setUp();
    const { resolve, run } = work();
    const slow = here.run('slow', nothing, run);
    assert.equal((await here.run('quick', nothing, async () => 'quick')).value, 'quick');
    resolve('slow');
    assert.equal((await slow).value, 'slow');
    assert.deepEqual(await here.run('slow', nothing, async () => 'again'), { value: 'again', shared: false });
  });

  test('is looked up by the process that waited for another', async () => {
    const { clock, here, there } = setUp();
    const { begun, resolve, run } = work();
    const first = here.run('key', nothing, run);
    await nextTurn();
    const second = there.run('key', async () => (begun.times > 0 ? 'looked up' : undefined), run);
    await clock.pending(1);
    resolve('done');
    await first;
    assert.equal((await overTime(clock, second)).value, 'looked up');
    assert.equal(begun.times, 1);
  });

  test('is done by the one who waited, where the other did not manage', async () => {
    const { clock, here, there } = setUp();
    const { reject, run } = work();
    const first = here.run('key', nothing, run);
    const failed = assert.rejects(first, /no luck/);
    await nextTurn();
    const second = there.run('key', nothing, async () => 'better luck');
    reject(new Error('no luck'));
    await failed;
    assert.deepEqual(await overTime(clock, second), { value: 'better luck', shared: false });
  });

  test('that fails fails for all who shared it, and leaves nothing behind', async () => {
    const { leases, here } = setUp();
    const { reject, run } = work();
    const asking = [here.run('key', nothing, run), here.run('key', nothing, run)];
    const failed = Promise.all(asking.map((each) => assert.rejects(each, /no luck/)));
    reject(new Error('no luck'));
    await failed;
    assert.equal(leases.views.has('key'), false, 'nothing is left of the lease');
    assert.equal((await here.run('key', nothing, async () => 'again')).value, 'again');
  });

  test('is taken over from a process that has ended, without waiting for its lease', async () => {
    const { leases, clock, here } = setUp();
    const dead = thisProcess().split('/').with(3, '999999999').join('/');
    await leases.acquire('key', dead, 1_000_000, clock.now());
    assert.equal((await here.run('key', nothing, async () => 'done')).value, 'done');
    assert.equal(clock.monotonic(), 0, 'no time has passed');
  });

  test('is taken over from another host when its lease has run out, and not before', async () => {
    const { leases, clock, here } = setUp();
    await leases.acquire('key', 'elsewhere/x/1/1/1/1', 5_000, clock.now());
    const taken = here.run('key', nothing, async () => clock.monotonic());
    assert.ok((await overTime(clock, taken)).value >= 5_000);
  });
});
