import type { Clock } from '../../observe/clock.ts';
import type { Credential, CredentialSource } from '../credentials.ts';

/** A credential and how long it is good, in milliseconds from now. */
export interface Lent {
  readonly credential: Credential | undefined;
  readonly forMs: number;
}

/** A credential that was refused is asked for anew, but not more often than this, in milliseconds. */
const refusedMsMin = 10_000;

/** A failure is told again, unasked, for so many times as long as it took: few requests wait for who does not answer. */
const failureTimes = 3;

/** A credential that is costly to get: asked for once, for all who need it, until shortly before it expires. */
export class Remembered implements CredentialSource {
  readonly #clock: Clock;
  readonly #fetch: () => Promise<Lent>;
  #held: { readonly credential: Credential | undefined; readonly since: number; readonly until: number } | undefined;
  #failed: { readonly error: unknown; readonly until: number } | undefined;
  #asking: Promise<Credential | undefined> | undefined;

  constructor(clock: Clock, fetch: () => Promise<Lent>) {
    this.#clock = clock;
    this.#fetch = fetch;
  }

  async get(): Promise<Credential | undefined> {
    const now = this.#clock.monotonic();
    if (this.#held && this.#held.until > now) return this.#held.credential;
    if (this.#failed && this.#failed.until > now) throw this.#failed.error;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  refused(): void {
    if (this.#held && this.#clock.monotonic() - this.#held.since >= refusedMsMin) this.#held = undefined;
  }

  async #ask(): Promise<Credential | undefined> {
    const begun = this.#clock.monotonic();
    try {
      const { credential, forMs } = await this.#fetch();
      const since = this.#clock.monotonic();
      this.#held = { credential, since, until: since + forMs };
      this.#failed = undefined;
      return credential;
    } catch (error) {
      const now = this.#clock.monotonic();
      this.#failed = { error, until: now + (now - begun) * failureTimes };
      throw error;
    }
  }
}

/** How long to use what lives for so long: not in its last tenth, at most five minutes. */
export function usableMs(lifeMs: number): number {
  return Math.max(0, lifeMs - Math.min(lifeMs / 10, 300_000));
}
