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

/** How long a right password is remembered, in milliseconds: bcrypt is slow on purpose, and clients ask often. */
const rememberedMs = 5 * 60_000;
const rememberedMax = 10_000;

/** Remembers nothing but keyed hashes, under a key that dies with the process. */
export function createPasswords({ clock, observer, users, compare }: PasswordsOptions): Passwords {
  const key = randomBytes(32);
  const guesses = new Guesses(clock);
  const right = new Map<string, number>();

  function isRemembered(proof: string): boolean {
    const untilMs = right.get(proof);
    if (untilMs !== undefined && clock.monotonic() < untilMs) return true;
    right.delete(proof);
    return false;
  }

  function remember(proof: string): void {
    const oldest = right.size >= rememberedMax ? right.keys().next().value : undefined;
    if (oldest !== undefined) right.delete(oldest);
    right.set(proof, clock.monotonic() + rememberedMs);
  }

  async function verify(user: string, password: string, address: string): Promise<boolean> {
    const hashes = users() ?? new Map<string, string>();
    const hash = hashes.get(user);
    // With the hash in it, a new password ends what was remembered of the old one.
    const proof = createHmac('sha256', key)
      .update(JSON.stringify([user, password, hash ?? '']))
      .digest('base64');
    if (hash !== undefined && isRemembered(proof)) return true;
    const isRight = await guesses.judged(
      address,
      user,
      async () => (await compare(password, hash ?? decoyOf(hashes))) && hash !== undefined,
    );
    if (isRight) remember(proof);
    else observer.emit({ type: 'login.refused', clientAddress: address, user: hash === undefined ? undefined : user });
    return isRight;
  }

  return { verify };
}

/** A hash that no password has, as expensive as the file's most expensive one. */
function decoyOf(hashes: ReadonlyMap<string, string>): string {
  let cost = '05';
  for (const hash of hashes.values()) if (hash.slice(4, 6) > cost) cost = hash.slice(4, 6);
  return `$2b$${cost}$${'.'.repeat(53)}`;
}
