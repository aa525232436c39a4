import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { Guesses } from './guesses.ts';

export interface PasswordsOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Hashes by user, as they are now. */
  readonly users: () => ReadonlyMap<string, string> | undefined;
  readonly compare: (password: string, hash: string) => Promise<boolean>;
}

export interface Passwords {
  /** Whether it is the user's. Takes as long for a user who does not exist. */
  verify(user: string, password: string, address: string): Promise<boolean>;
}

/** How long a verdict is remembered, in milliseconds: bcrypt is slow on purpose, and clients ask often. */
const rememberedMs = 5 * 60_000;
const rightMax = 10_000;
const wrongMax = 1_000;

/**
 * Remembers nothing but keyed hashes, under a key that dies with the process. The same wrong password again is no guess: it
 * is a machine that was told an old one, or the one that somebody has for Docker Hub.
 */
export function createPasswords({ clock, observer, users, compare }: PasswordsOptions): Passwords {
  const key = randomBytes(32);
  const guesses = new Guesses(clock);
  const right = new Recently(clock, rightMax);
  const wrong = new Recently(clock, wrongMax);
  const judging = new Map<string, Promise<boolean>>();

  async function verify(user: string, password: string, address: string): Promise<boolean> {
    const hashes = users() ?? new Map<string, string>();
    const hash = hashes.get(user);
    // With the hash in it, a new password ends what was remembered of the old one.
    const proof = createHmac('sha256', key)
      .update(JSON.stringify([user, password, hash ?? '']))
      .digest('base64');
    if (right.has(proof)) return true;
    if (wrong.has(proof)) return false;
    // Machines behind one address that come with the same password at the same time are one attempt.
    const attempt = `${proof} ${address}`;
    const judged =
      judging.get(attempt) ??
      judge({ user, address, proof, isKnown: hash !== undefined }, () =>
        compare(password, hash ?? decoyOf(hashes)),
      ).finally(() => judging.delete(attempt));
    judging.set(attempt, judged);
    return judged;
  }

  async function judge(attempt: Attempt, isMatch: () => Promise<boolean>): Promise<boolean> {
    const { user, address, proof, isKnown } = attempt;
    const isRight = await guesses.judged(address, user, async () => (await isMatch()) && isKnown);
    (isRight ? right : wrong).add(proof);
    if (!isRight) observer.emit({ type: 'login.refused', clientAddress: address, user: isKnown ? user : undefined });
    return isRight;
  }

  return { verify };
}

interface Attempt {
  readonly user: string;
  readonly address: string;
  readonly proof: string;
  /** There is such a user. */
  readonly isKnown: boolean;
}

/** What was added lately; the oldest goes when there is too much. */
class Recently {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  has(key: string): boolean {
    const untilMs = this.#untilMs.get(key);
    if (untilMs !== undefined && this.#clock.monotonic() < untilMs) return true;
    this.#untilMs.delete(key);
    return false;
  }

  add(key: string): void {
    const oldest = this.#untilMs.size >= this.#max ? this.#untilMs.keys().next().value : undefined;
    if (oldest !== undefined) this.#untilMs.delete(oldest);
    this.#untilMs.set(key, this.#clock.monotonic() + rememberedMs);
  }
}

/** A hash that no password has, as expensive as the file's most expensive one. */
function decoyOf(hashes: ReadonlyMap<string, string>): string {
  let cost = '05';
  for (const hash of hashes.values()) if (hash.slice(4, 6) > cost) cost = hash.slice(4, 6);
  return `$2b$${cost}$${'.'.repeat(53)}`;
}
