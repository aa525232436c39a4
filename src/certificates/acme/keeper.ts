import { X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { AcmeConfig } from '../../config/config.ts';
import type { Clock, Timer } from '../../observe/clock.ts';
import type { Observer } from '../../observe/events.ts';
import { asError, RegistryError } from '../../oci/errors.ts';
import type { Dated } from '../expiry.ts';
import type { Identity } from '../identity.ts';
import { pemPair } from '../pem-pair.ts';
import type { PemPair } from '../pem-pair.ts';
import { AcmeCache } from './cache.ts';
import type { Issued } from './cache.ts';
import { Challenges } from './challenges.ts';
import type { ChallengeKind } from './challenges.ts';
import { AcmeAccount } from './client.ts';
import type { AcmeTransport } from './client.ts';
import { AccountKey } from './jws.ts';
import { obtain } from './obtain.ts';

export interface AcmeOptions {
  readonly acme: AcmeConfig;
  readonly send: AcmeTransport;
  /** Of the servers that show the certificates; asked anew for each. */
  readonly context: () => SecureContextOptions;
  readonly observer: Observer;
  readonly clock: Clock;
}

/** One name and how far it has come. */
interface Kept {
  readonly host: string;
  pair: PemPair | undefined;
  /** Nothing is asked of anybody before. Milliseconds since the epoch. */
  dueAt: number;
  failures: number;
}

const minuteMs = 60_000;
/** Ports listen before anybody is asked for anything. */
const firstMs = 1_000;
/** From one look to the next. */
const lookMs = 5 * minuteMs;
/** After a failure, doubled with each: public authorities count them, and refuse whom they count too often. */
const againMs = 5 * minuteMs;
const againMsMax = 12 * 60 * minuteMs;
/** A certificate is replaced when this share of its life is left. */
const renewedWith = 1 / 3;

/** Certificates for public names, from an ACME server: got in the background, kept, replaced in time. */
export class AcmeKeeper implements AsyncDisposable {
  readonly challenges: Challenges;
  readonly #options: AcmeOptions;
  readonly #cache: AcmeCache;
  readonly #kept: readonly Kept[];
  readonly #closing = new AbortController();
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(options: AcmeOptions) {
    this.#options = options;
    this.challenges = new Challenges(options.clock);
    this.#cache = new AcmeCache(options.acme.directory);
    this.#kept = options.acme.hosts.map((host) => ({ host, pair: undefined, dueAt: 0, failures: 0 }));
  }

  /** Shows what is kept already. */
  static async open(options: AcmeOptions): Promise<AcmeKeeper> {
    const keeper = new AcmeKeeper(options);
    await keeper.reload();
    keeper.#after(firstMs);
    return keeper;
  }

  identityFor(name: string): Identity | undefined {
    const kept = this.#kept.find(({ host }) => host === name.toLowerCase().replace(/\.$/, ''));
    const isGood = kept?.pair !== undefined && kept.pair.validTo > this.#options.clock.now();
    return isGood ? kept.pair : undefined;
  }

  get dates(): readonly Dated[] {
    const advice = 'find out from the log why it is not renewed';
    return this.#kept.flatMap(({ host, pair }) =>
      pair === undefined ? [] : [{ certificate: host, validTo: pair.validTo, dueAt: pair.validTo, advice }],
    );
  }

  /** Shows what is kept, under the settings of now. What cannot be read is told and asked for again, later. */
  async reload(): Promise<void> {
    for (const kept of this.#kept) {
      const { pair, dueAt } = kept;
      if (pair !== undefined) this.#show(kept, pair);
      kept.dueAt = Math.max(dueAt, kept.dueAt);
      await this.#readKept(kept).catch((error: unknown) => this.#fail(kept, error));
    }
  }

  /** Resolves when nobody is being asked. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the server stops'));
    this.#timer?.cancel();
    await this.idle();
  }

  #after(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = this.#options.clock.setTimer(ms, () => {
      this.#running = this.#look();
    });
  }

  async #look(): Promise<void> {
    for (const kept of this.#kept) {
      if (this.#closing.signal.aborted) return;
      if (this.#isDue(kept)) await this.#renew(kept).catch((error: unknown) => this.#fail(kept, error));
    }
    this.#after(lookMs);
  }

  async #renew(kept: Kept): Promise<void> {
    const { host } = kept;
    // Another process may have been faster.
    await this.#readKept(kept);
    if (!this.#isDue(kept)) return;
    const issued = await this.#obtain(kept);
    const validTo = this.#show(kept, issued);
    await this.#keep(host, issued);
    const until = new Date(validTo).toISOString();
    this.#options.observer.emit({ type: 'certificate.obtained', certificate: host, until });
    if (this.#isDue(kept)) throw dueAlready(host);
    kept.failures = 0;
  }

  /** It is shown whether or not it can be kept: getting another one would change nothing. */
  async #keep(host: string, issued: Issued): Promise<void> {
    await this.#cache.keep(host, issued).catch((error: unknown) => {
      const { message } = asError(error);
      this.#options.observer.emit({ type: 'task.failed', task: 'keeping a certificate from the ACME server', message });
    });
  }

  async #obtain({ host, failures }: Kept): Promise<Issued> {
    const { acme, send, clock } = this.#options;
    const { signal } = this.#closing;
    const key = new AccountKey(await this.#cache.accountKey());
    const { directoryUrl, email } = acme;
    const account = await AcmeAccount.open({ directoryUrl, email, key, send, now: () => clock.now(), signal });
    // Which port leads here, nobody knows better than who comes by it.
    const ways: readonly ChallengeKind[] = failures % 2 === 0 ? ['tls-alpn-01', 'http-01'] : ['http-01', 'tls-alpn-01'];
    return await obtain(host, { account, key, challenges: this.challenges, ways, clock, signal });
  }

  async #readKept(kept: Kept): Promise<void> {
    const found = await this.#cache.certificate(kept.host);
    if (found === undefined || found.cert === kept.pair?.cert || !isUsable(found, kept.host)) return;
    const isOlder = validToOf(found) <= (kept.pair?.validTo ?? Number.NEGATIVE_INFINITY);
    if (!isOlder) this.#show(kept, found);
  }

  /** @returns its end */
  #show(kept: Kept, { cert, key }: Issued): number {
    const pair = pemPair(cert, key, this.#options.context(), 'http.tls.letsencrypt');
    const from = new X509Certificate(cert).validFromDate.getTime();
    kept.pair = pair;
    kept.dueAt = pair.validTo - (pair.validTo - from) * renewedWith;
    return pair.validTo;
  }

  #isDue({ dueAt }: Kept): boolean {
    return dueAt <= this.#options.clock.now();
  }

  #fail(kept: Kept, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const { observer, clock } = this.#options;
    const askedMs = error instanceof RegistryError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
    const againInMs = Math.max(askedMs, Math.min(againMs * 2 ** kept.failures, againMsMax));
    kept.failures += 1;
    kept.dueAt = Math.max(kept.dueAt, clock.now() + againInMs);
    const { message } = asError(error);
    observer.emit({ type: 'certificate.failed', certificate: kept.host, message, againInMs });
  }
}

/** What is damaged is as good as none: a new one is asked for. */
function isUsable({ cert, key }: Issued, host: string): boolean {
  try {
    return pemPair(cert, key, {}, 'http.tls.letsencrypt').covers(host);
  } catch {
    return false;
  }
}

function validToOf({ cert }: Issued): number {
  return new X509Certificate(cert).validToDate.getTime();
}

function dueAlready(host: string): RegistryError {
  const message = `the certificate for ${host} is about to end by this machine's clock though it is new; set the clock`;
  return new RegistryError('UPSTREAM_INVALID', message, { origin: 'operator' });
}
