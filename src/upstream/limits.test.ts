import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Bandwidth, Semaphore } from './limits.ts';
import type { Lane } from './limits.ts';

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

  test('lets who is cold in before who is warm, and every fifth time who is warm', async () => {
    const semaphore = new Semaphore(1);
    const order: Lane[] = [];
    const pass = async (lane: Lane): Promise<void> => {
      using _place = await semaphore.acquire(undefined, lane);
      order.push(lane);
    };
    const first = await semaphore.acquire();
    const lanes: readonly Lane[] = ['warm', 'warm', ...Array.from({ length: 6 }, () => 'cold' as const)];
    const all = Promise.all(lanes.map(pass));
    first[Symbol.dispose]();
    await all;
    assert.equal(order.join(' '), 'cold cold cold cold warm cold cold warm');
    assert.equal(semaphore.held, 0);
  });

  test('keeps places free for who is cold', async () => {
    const semaphore = new Semaphore(8, 2);
    const places = await Promise.all(Array.from({ length: 6 }, () => semaphore.acquire()));
    const seventh = semaphore.acquire();
    const cold = await semaphore.acquire(undefined, 'cold');
    cold[Symbol.dispose]();
    await nextTurn();
    assert.equal(semaphore.held, 6, 'its place stays free');
    for (const place of places) place[Symbol.dispose]();
    assert.equal(semaphore.held, 1);
    (await seventh)[Symbol.dispose]();
  });

  test('keeps none of them from who is warm alone', async () => {
    const semaphore = new Semaphore(8, 2);
    for (let count = 0; count < 7; count++) await semaphore.acquire(undefined, 'cold');
    await semaphore.acquire();
    assert.equal(semaphore.held, 8);
  });

  test('never lets those who are warm take all places, however often they are overtaken', async () => {
    const semaphore = new Semaphore(4, 1);
    const full = await Promise.all(Array.from({ length: 4 }, () => semaphore.acquire(undefined, 'cold')));
    const warm = Array.from({ length: 4 }, () => semaphore.acquire());
    let entered = 0;
    for (const place of warm) void place.then(() => (entered += 1));
    for (let round = 0; round < 40; round++) {
      void semaphore.acquire(undefined, 'cold').then((place) => full.push(place));
      full.shift()?.[Symbol.dispose]();
      await nextTurn();
    }
    assert.equal(entered, 3);
  });

  test('takes a place back for a while', async () => {
    const semaphore = new Semaphore(1);
    const place = await semaphore.acquire();
    await place.takeAgain();
    const other = semaphore.acquire();
    place.giveUp();
    place.giveUp();
    const second = await other;
    const again = place.takeAgain();
    second[Symbol.dispose]();
    await again;
    assert.equal(semaphore.held, 1);
    place[Symbol.dispose]();
    assert.equal(semaphore.held, 0);
  });

  test('has its place back from who left, or ended, while he waited for it again', async () => {
    const semaphore = new Semaphore(1);
    const aborter = new AbortController();
    const [left, ended] = [await semaphore.acquire(aborter.signal), semaphore.acquire()];
    left.giveUp();
    (await ended).giveUp();
    const holder = await semaphore.acquire();
    const again = [left.takeAgain(), (await ended).takeAgain()];
    aborter.abort(new Error('left'));
    await assert.rejects(again[0] ?? assert.fail(), /left/);
    left[Symbol.dispose]();
    (await ended)[Symbol.dispose]();
    assert.equal(semaphore.held, 1);
    holder[Symbol.dispose]();
    await again[1];
    assert.equal(semaphore.held, 0);
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
