import ipaddr from 'ipaddr.js';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';

/** Wrong passwords that cost nothing: people mistype, machines have been told the old one. */
const freeOfAddress = 5;
/** For one user from all addresses together: many machines may have been told the old one. */
const freeOfUser = 50;
const firstDelayMs = 250;
const delayMsMax = 5_000;
/** Without a wrong one for so long, all is forgotten. */
const forgetMs = 15 * 60_000;
const rememberedMax = 10_000;
/** Of an address that guesses: so many attempts at one user may wait for their turn. */
const waitingMax = 8;
/** And so many at all users together: more users than guess or mistype behind one address at a time. */
const waitingOfAddressMax = 32;

interface Record {
  failures: number;
  lastMs: number;
  /** Not judged yet; until they are, each counts as a failure. */
  underWay: number;
  /** Including those of them whose turn it is. */
  waiting: number;
}

/** Attempts of one address at one user. */
interface Queue {
  /** Settles when the one before has had its answer. */
  turn: Promise<void>;
  waiting: number;
}

/**
 * Makes guessing passwords slow. After some wrong ones, or as many at once, an address has its attempts at each user judged
 * one after the other, each after a longer while; a user who is guessed at from many addresses has them judged late. Nobody is ever locked out: whoever
 * has the right password gets in, and those whose password is remembered (`passwords.ts`) do not come by here.
 */
export class Guesses {
  readonly #clock: Clock;
  readonly #records = new Map<string, Record>();
  readonly #queues = new Map<string, Queue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @returns what `judge` says: whether it was the right one
   * @throws RegistryError `TOOMANYREQUESTS` when too many guesses of the address wait already
   */
  async judged(address: string, user: string, judge: () => Promise<boolean>): Promise<boolean> {
    const neighbourhood = neighbourhoodOf(address);
    const ofAddress = this.#recordOf(`address ${neighbourhood}`);
    const ofUser = this.#recordOf(`user ${user}`);
    if (suspicionOf(ofAddress) < freeOfAddress) return this.#judge(ofAddress, ofUser, judge);
    if (ofAddress.waiting >= waitingOfAddressMax) throw tooMany();
    ofAddress.waiting += 1;
    try {
      return await this.#inTurn(`${neighbourhood} ${user}`, () => this.#judge(ofAddress, ofUser, judge));
    } finally {
      ofAddress.waiting -= 1;
    }
  }

  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? { turn: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= waitingMax) throw tooMany();
    this.#queues.set(key, queue);
    queue.waiting += 1;
    const before = queue.turn;
    const mine = Promise.withResolvers<void>();
    queue.turn = mine.promise;
    try {
      await before;
      return await work();
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(key);
      mine.resolve();
    }
  }

  async #judge(ofAddress: Record, ofUser: Record, judge: () => Promise<boolean>): Promise<boolean> {
    const delayMs = Math.max(delayOf(ofAddress, freeOfAddress), delayOf(ofUser, freeOfUser));
    const records = [ofAddress, ofUser];
    for (const record of records) record.underWay += 1;
    let isRight: boolean;
    try {
      if (delayMs > 0) await this.#clock.sleep(delayMs);
      isRight = await judge();
    } finally {
      for (const record of records) record.underWay -= 1;
    }
    for (const record of records) {
      // One right password does not make an address innocent: it may be the guesser's own.
      record.failures = isRight ? Math.max(0, record.failures - 1) : record.failures + 1;
      record.lastMs = this.#clock.monotonic();
    }
    return isRight;
  }

  #recordOf(key: string): Record {
    const nowMs = this.#clock.monotonic();
    const known = this.#records.get(key);
    this.#records.delete(key);
    const isBusy = known !== undefined && known.underWay + known.waiting > 0;
    const isOld = known !== undefined && !isBusy && nowMs - known.lastMs > forgetMs;
    const record = known === undefined || isOld ? { failures: 0, lastMs: nowMs, underWay: 0, waiting: 0 } : known;
    this.#records.set(key, record);
    const oldest = this.#records.size > rememberedMax ? this.#records.keys().next().value : undefined;
    if (oldest !== undefined) this.#records.delete(oldest);
    return record;
  }
}

/** Whoever has an IPv6 address has all that begin with the same 64 bits. */
function neighbourhoodOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  return ipaddr.IPv6.parse(address).toByteArray().slice(0, 8).join('.');
}

function suspicionOf({ failures, underWay }: Record): number {
  return failures + underWay;
}

function delayOf(record: Record, free: number): number {
  const above = suspicionOf(record) - free;
  return above < 0 ? 0 : Math.min(firstDelayMs * 2 ** Math.min(above, 20), delayMsMax);
}

function tooMany(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many wrong passwords came from this address; wait and try again', {
    retryAfterSeconds: delayMsMax / 1_000,
  });
}
