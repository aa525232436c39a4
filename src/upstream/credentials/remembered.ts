import type { Clock } from '../../observe/clock.ts';
import type { Credential, CredentialSource } from '../credentials.ts';

/** A credential and how long it is good, in milliseconds from now. */
export interface Lent {
  readonly credential: Credential | undefined;
  readonly forMs: number;
}

/** A credential that was refused is asked for anew, but not more often than this, in milliseconds. */
const refusedMsMin = 10_000;

/** A credential that is costly to get: asked for once, for all who need it, until shortly before it expires. */
export class Remembered implements CredentialSource {
  readonly #clock: Clock;
  readonly #fetch: () => Promise<Lent>;
  #held: { readonly credential: Credential | undefined; readonly since: number; readonly until: number } | undefined;
  #asking: Promise<Credential | undefined> | undefined;

  constructor(clock: Clock, fetch: () => Promise<Lent>) {
    this.#clock = clock;
    this.#fetch = fetch;
  }

  async get(): Promise<Credential | undefined> {
    if (this.#held && this.#held.until > this.#clock.monotonic()) return this.#held.credential;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  refused(): void {
    if (this.#held && this.#clock.monotonic() - this.#held.since >= refusedMsMin) this.#held = undefined;
  }

  async #ask(): Promise<Credential | undefined> {
    const { credential, forMs } = await this.#fetch();
    const since = this.#clock.monotonic();
    this.#held = { credential, since, until: since + forMs };
    return credential;
  }
}

/** How long to use what lives for so long: not in its last tenth, at most five minutes. */
export function usableMs(lifeMs: number): number {
  return Math.max(0, lifeMs - Math.min(lifeMs / 10, 300_000));
}
