import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Bandwidth, Semaphore } from './limits.ts';

describe('a semaphore', () => {
  test('lets so many in, and the others in order as places come free', async () => {
    const semaphore = new Semaphore(2);
    const order: number[] = [];
    const enter = async (number: number): Promise<Disposable> => {
      const place = await semaphore.acquire();
      order.push(number);
      return place;
    };
    const [first] = await Promise.all([enter(1), enter(2)]);
    const waiting = [enter(3), enter(4)];
    assert.equal(semaphore.held, 2);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    const third = await waiting[0];
    assert.deepEqual(order, [1, 2, 3]);
    third?.[Symbol.dispose]();
    await waiting[1];
    assert.deepEqual(order, [1, 2, 3, 4]);
  });

  test('forgets who left while waiting', async () => {
    const semaphore = new Semaphore(1);
    const place = await semaphore.acquire();
    const aborter = new AbortController();
    const left = semaphore.acquire(aborter.signal);
    const next = semaphore.acquire();
    aborter.abort(new Error('left'));
    await assert.rejects(left, /left/);
    place[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    assert.equal(semaphore.held, 0);
    await assert.rejects(semaphore.acquire(aborter.signal), /left/);
  });
});

describe('a bandwidth', () => {
  test('is not limited by infinity', () => {
    assert.equal(new Bandwidth(Number.POSITIVE_INFINITY, new FakeClock()).book(1e12), 0);
  });

  test('holds back whoever comes after more bytes than the rate allows', async () => {
    const clock = new FakeClock();
    const bandwidth = new Bandwidth(1_000_000, clock);
    assert.equal(bandwidth.book(50_000), 0, 'a burst of 50 ms');
    assert.equal(bandwidth.book(100_000), 100);
    await clock.advance(1000);
    assert.equal(bandwidth.book(50_000), 0, 'time that was not used is not saved');
  });
});
