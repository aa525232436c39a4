import type { Clock } from '../observe/clock.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { Ending } from './exchange.ts';

/** How an exchange went, as far as the health of the other side is concerned. */
export type Health =
  /**
   * It answered. Whatever the answer was: 404 and 401 are signs of life, and so are the first bytes of a body that is cut
   * off, as many transfers are at once when what stands before a registry starts anew.
   */
  | { readonly kind: 'well' }
  /** It could not be connected to, or did not answer in time. One is enough, unless others were answered meanwhile. */
  | { readonly kind: 'dead'; readonly error: RegistryError }
  /** It answered 5xx, broke off before a body's first byte, or was late with a small one. A run of these is needed. */
  | { readonly kind: 'ill'; readonly error: RegistryError }
  /**
   * It says nothing: we left, or it fell silent in the middle of a long body. That it was alive is long ago; whether it
   * still is, the next exchange shows.
   */
  | { readonly kind: 'unknown' };

/** @param small the body was due as a whole within the stall time */
export function healthOf({ head, bytes, breakdown }: Ending, small: boolean): Health['kind'] {
  if (breakdown?.stage === 'connect' || (breakdown?.stage === 'headers' && breakdown.why === 'timeout')) return 'dead';
  if (head === undefined || head.status >= 500) return 'ill';
  if (breakdown === undefined) return 'well';
  if (bytes === 0) return 'ill';
  if (breakdown.why !== 'timeout') return 'well';
  return small ? 'ill' : 'unknown';
}

/** 5xx answers and broken connections in a row that open a circuit. */
export const illRunMax = 5;
/** How long the first request after a failure is put off, and the longest such wait, in milliseconds. */
export const openMsMin = 1_000;
export const openMsMax = 5_000;

/** Leave to ask; it must be given back with how it went. */
export interface Leave {
  readonly askedAt: number;
}

/**
 * Whether one origin is worth asking. After a failure nobody waits for it again: for a second, then two, up to five,
 * requests fail at once; then one goes ahead as a probe, and its success closes the circuit for all.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #changed: (state: 'open' | 'closed', reason: string) => void;
  #run = 0;
  #wellAt = Number.NEGATIVE_INFINITY;
  #opened: { readonly error: RegistryError; readonly until: number; readonly forMs: number } | undefined;
  #probe: Leave | undefined;

  constructor(clock: Clock, changed: (state: 'open' | 'closed', reason: string) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  get open(): boolean {
    return this.#opened !== undefined;
  }

  /** Leave to ask, or the failure that keeps us from it and the milliseconds until the next attempt is due. */
  enter(): Leave | { readonly error: RegistryError; readonly waitMs: number } {
    const askedAt = this.#clock.monotonic();
    if (this.#opened === undefined) return { askedAt };
    const waitMs = Math.max(0, this.#opened.until - askedAt);
    if (waitMs > 0 || this.#probe !== undefined) return { error: this.#opened.error, waitMs };
    this.#probe = { askedAt };
    return this.#probe;
  }

  /** A long body has begun to come. Nobody has to wait for its end to be let through. */
  answers(): void {
    if (this.#opened !== undefined) this.#well();
  }

  /** To be called exactly once for every leave. */
  report(leave: Leave, health: Health): void {
    const isProbe = leave === this.#probe;
    if (isProbe) this.#probe = undefined;
    if (health.kind === 'unknown') return;
    if (health.kind === 'well') this.#well();
    else if (isProbe) this.#fail(health.error);
    else if (this.#opened === undefined) this.#count(leave, health);
  }

  #well(): void {
    this.#run = 0;
    this.#wellAt = this.#clock.monotonic();
    if (this.#opened === undefined) return;
    this.#opened = undefined;
    this.#probe = undefined;
    this.#changed('closed', 'it answers again');
  }

  #count(leave: Leave, health: Exclude<Health, { kind: 'well' | 'unknown' }>): void {
    this.#run++;
    const others = this.#wellAt > leave.askedAt;
    if (this.#run >= illRunMax || (health.kind === 'dead' && !others)) this.#fail(health.error);
  }

  #fail(error: RegistryError): void {
    const before = this.#opened;
    const forMs = before === undefined ? openMsMin : Math.min(before.forMs * 2, openMsMax);
    this.#opened = { error, until: this.#clock.monotonic() + forMs, forMs };
    this.#run = 0;
    if (before === undefined) this.#changed('open', error.message);
  }
}
