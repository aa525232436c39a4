import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Event, Observer } from '../observe/events.ts';
import { createPasswords } from './passwords.ts';

const hash = `$2y$12$${'a'.repeat(53)}`;

function scene() {
  const clock = new FakeClock();
  const users = new Map([['ann', hash]]);
  const compared: string[] = [];
  const compare = async (password: string, against: string): Promise<boolean> => {
    compared.push(against);
    return password === 'right';
  };
  const refused: Event[] = [];
  const observer: Observer = { emit: (event) => void refused.push(event) };
  const passwords = createPasswords({ clock, observer, users: () => users, compare });
  return { clock, users, compared, refused, passwords };
}

/** Whether it has settled without any time passing. */
async function isInstant(clock: FakeClock, attempt: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const watch = (): void => void (settled = true);
  attempt.then(watch, watch);
  for (let turn = 0; turn < 5; turn += 1) await clock.advance(0);
  return settled;
}

describe('a password', () => {
  test('that was right is remembered for a while, but not longer than it stays right', async () => {
    const { clock, users, compared, passwords } = scene();
    for (let count = 0; count < 3; count += 1) assert.equal(await passwords.verify('ann', 'right', 'here'), true);
    assert.equal(compared.length, 1);
    assert.equal(await passwords.verify('ann', 'wrong', 'here'), false);
    users.set('ann', hash.replace('a', 'b'));
    assert.equal(await passwords.verify('ann', 'right', 'here'), true);
    assert.equal(compared.length, 3);
    await clock.advance(10 * 60_000);
    assert.equal(await passwords.verify('ann', 'right', 'here'), true);
    assert.equal(compared.length, 4);
    users.delete('ann');
    assert.equal(await passwords.verify('ann', 'right', 'here'), false);
  });

  test('of a user who does not exist takes as much work as any, and is never right', async () => {
    const { compared, passwords } = scene();
    assert.equal(await passwords.verify('nobody', 'right', 'here'), false);
    assert.match(compared[0] ?? '', /^\$2b\$12\$.{53}$/);
  });

  test('that is wrong is told, with the user only where there is one', async () => {
    const { refused, passwords } = scene();
    await passwords.verify('ann', 'right', 'here');
    await passwords.verify('ann', 'wrong', 'here');
    await passwords.verify('a password in the wrong place', 'wrong', 'there');
    assert.deepEqual(refused, [
      { type: 'login.refused', clientAddress: 'here', user: 'ann' },
      { type: 'login.refused', clientAddress: 'there', user: undefined },
    ]);
  });
});

describe('guessing', () => {
  test('gets slower and slower for an address, one guess at a time, and too many at once are refused', async () => {
    const { clock, passwords } = scene();
    for (let count = 0; count < 5; count += 1) assert.equal(await passwords.verify('ann', `${count}`, 'there'), false);
    const guesses = Array.from({ length: 8 }, (_, at) => passwords.verify('ann', `g${at}`, 'there'));
    const results: boolean[] = [];
    for (const guess of guesses) void guess.then((result) => results.push(result));
    await assert.rejects(passwords.verify('ann', 'right', 'there'), { code: 'TOOMANYREQUESTS', retryAfterSeconds: 5 });
    await clock.advance(250);
    assert.equal(results.length, 1);
    await clock.advance(250);
    assert.equal(results.length, 1);
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
    assert.deepEqual(
      results,
      guesses.map(() => false),
    );
  });

  test('is as slow where all guesses come at once', async () => {
    const { clock, compared, passwords } = scene();
    const guesses = Array.from({ length: 250 }, (_, at) => passwords.verify('ann', `${at}`, 'there'));
    const ends = Promise.allSettled(guesses);
    await clock.advance(0);
    assert.equal(compared.length, 5);
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
    assert.equal(compared.length, 5 + 8);
    assert.equal((await ends).filter(({ status }) => status === 'rejected').length, 250 - 5 - 8);
  });

  test('at many users at once is slow, too, and so many wait at most', async () => {
    const { clock, compared, passwords } = scene();
    const guesses = Array.from({ length: 250 }, (_, at) => passwords.verify(`user${at}`, 'x', 'there'));
    const ends = Promise.allSettled(guesses);
    await clock.advance(0);
    assert.equal(compared.length, 5);
    await clock.advance(5_000);
    assert.equal(compared.length, 5 + 32);
    assert.equal((await ends).filter(({ status }) => status === 'rejected').length, 250 - 5 - 32);
  });

  test('at others keeps nobody waiting for longer than seconds who has the right password behind the same address', async () => {
    const { clock, users, passwords } = scene();
    users.set('bob', hash);
    for (let count = 0; count < 5; count += 1) await passwords.verify('ann', `${count}`, 'there');
    const guesses = Array.from({ length: 12 }, (_, at) => passwords.verify('ann', `g${at}`, 'there'));
    const ends = Promise.allSettled(guesses);
    const bob = passwords.verify('bob', 'right', 'there');
    await clock.advance(5_000);
    assert.equal(await bob, true);
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
    await ends;
  });

  test('is not what many machines do that come with the right password at once', async () => {
    const { clock, compared, passwords } = scene();
    const machines = Promise.all(Array.from({ length: 250 }, () => passwords.verify('ann', 'right', 'there')));
    assert.equal(await isInstant(clock, machines), true);
    assert.deepEqual(new Set(await machines), new Set([true]));
    assert.equal(compared.length, 1);
  });

  test('is not what sends the same wrong password over and over', async () => {
    const { clock, compared, refused, passwords } = scene();
    for (let count = 0; count < 100; count += 1) {
      const attempt = passwords.verify('somebody-at-docker-hub', 'theirs', 'there');
      assert.equal(await isInstant(clock, attempt), true);
      assert.equal(await attempt, false);
    }
    assert.deepEqual([compared.length, refused.length], [1, 1]);
    assert.equal(await isInstant(clock, passwords.verify('ann', 'right', 'there')), true);
    await clock.advance(10 * 60_000);
    await passwords.verify('somebody-at-docker-hub', 'theirs', 'there');
    assert.equal(compared.length, 3);
  });

  test('locks nobody else out, and nobody who has been in', async () => {
    const { clock, passwords } = scene();
    await passwords.verify('ann', 'right', 'there');
    for (let count = 0; count < 5; count += 1) await passwords.verify('ann', `${count}`, 'there');
    assert.equal(await isInstant(clock, passwords.verify('ann', 'right', 'there')), true);
    assert.equal(await isInstant(clock, passwords.verify('ann', 'other', 'elsewhere')), true);
    const late = passwords.verify('bob', 'right', 'there');
    assert.equal(await isInstant(clock, late), false);
    await clock.advance(5_000);
    assert.equal(await late, false);
  });

  test('from all addresses of one network of IPv6 is guessing from one', async () => {
    const { clock, passwords } = scene();
    for (let count = 0; count < 5; count += 1) await passwords.verify('ann', `${count}`, `2001:db8::${count}`);
    assert.equal(await isInstant(clock, passwords.verify('bob', 'x', '2001:db8:0:0:1::1')), false);
    assert.equal(await isInstant(clock, passwords.verify('bob', 'x', '2001:db8:0:1::1')), true);
  });

  test('of one user from many addresses is slow as well', async () => {
    const { clock, passwords } = scene();
    for (let count = 0; count < 50; count += 1) await passwords.verify('ann', `${count}`, `address ${count}`);
    const late = passwords.verify('ann', 'right', 'a new address');
    assert.equal(await isInstant(clock, late), false);
    await clock.advance(5_000);
    assert.equal(await late, true);
    assert.equal(await isInstant(clock, passwords.verify('bob', 'x', 'a new address')), true);
  });

  test('is forgotten after a quiet quarter of an hour', async () => {
    const { clock, passwords } = scene();
    for (let count = 0; count < 5; count += 1) await passwords.verify('ann', `${count}`, 'there');
    await clock.advance(16 * 60_000);
    assert.equal(await isInstant(clock, passwords.verify('ann', 'x', 'there')), true);
  });
});
