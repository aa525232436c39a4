import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { AcmeTransport } from './acme/client.ts';
import { AcmeKeeper } from './acme/keeper.ts';
import { isRenewable } from './authority.ts';
import type { Authority, AuthorityKind, RenewableAuthority, Trusted } from './authority.ts';
import { datesOf, Expiry } from './expiry.ts';
import { openGivenAuthority } from './given-authority.ts';
import { openKeptAuthority } from './kept-authority.ts';
import { createLeaves } from './leaves.ts';
import type { Leaves } from './leaves.ts';
import { openServerTls } from './server-tls.ts';
import type { ReloadableServerTls, ServerTls, ServerTlsOptions } from './server-tls.ts';

/** Everything that clients can know this server by. */
export interface Certificates extends AsyncDisposable {
  /** How our ports speak TLS, where they do. */
  readonly tls: ServerTls | undefined;
  /** For the registries that clients reach through us, where they do. */
  readonly interception: Leaves | undefined;
  /** The authorities in use, for clients to trust. */
  readonly authorities: readonly Authority[];
  /** Reads all files again; an error is told when what can be read is in use. */
  reload(): Promise<void>;
  /**
   * Makes a successor of one of our own authorities, which signs in so many milliseconds.
   * @throws RegistryError `UNSUPPORTED` where there is none, or it is the operator's
   */
  renew(kind: AuthorityKind, inMs: number): Promise<Trusted>;
}

export interface CertificatesOptions {
  readonly config: Pick<Config, 'http' | 'certificates'>;
  readonly intercepts: boolean;
  /** The way out to the ACME server. */
  readonly send: AcmeTransport;
  readonly observer: Observer;
  readonly clock: Clock;
}

/** Makes what is not there yet. Throws a RegistryError (origin `operator`) where files cannot be used. */
export async function openCertificates(options: CertificatesOptions): Promise<Certificates> {
  const { config, clock } = options;
  const { http } = config;
  const server = http.tls?.auto === true || http.tls?.acme ? await openOwn('server', [], options) : undefined;
  const interception = options.intercepts ? await openInterception(options) : undefined;
  const ownName = http.externalUrl === undefined ? undefined : new URL(http.externalUrl).hostname;
  return new OpenCertificates(options, {
    server,
    interception,
    tls: http.tls && (await openServerTls({ tls: http.tls, authority: server, acme: acmeOf(options), ownName, clock })),
  });
}

/** Until the first certificate is there, one of our own authority is shown. */
function acmeOf({ config, observer, clock, send }: CertificatesOptions): ServerTlsOptions['acme'] {
  const acme = config.http.tls?.acme;
  if (acme === undefined) return undefined;
  return (context) => AcmeKeeper.open({ acme, send, context, observer, clock });
}

function openOwn(
  kind: AuthorityKind,
  constrain: readonly string[],
  { config, clock }: CertificatesOptions,
): Promise<RenewableAuthority> {
  const { directory } = config.certificates;
  return openKeptAuthority({ kind, directory: directory && join(directory, kind), constrain, clock });
}

async function openInterception(options: CertificatesOptions): Promise<Authority> {
  const { files, constrain } = options.config.certificates.interception;
  if (files === undefined) return await openOwn('interception', constrain, options);
  return await openGivenAuthority({ kind: 'interception', files, setting: 'intercept.ca' });
}

interface Opened {
  readonly server: Authority | undefined;
  readonly interception: Authority | undefined;
  readonly tls: ReloadableServerTls | undefined;
}

/** Another process may have renewed our authorities, and dates come near: an hour more does not matter. */
const lookMs = 3_600_000;
const dayMs = 24 * lookMs;
/** An authority of ours that ends within a year gets a successor, which signs a month before that end. */
const succeededMs = 365 * dayMs;
const overlapMs = 30 * dayMs;

class OpenCertificates implements Certificates {
  readonly tls: ReloadableServerTls | undefined;
  readonly interception: Leaves | undefined;
  readonly authorities: readonly Authority[];
  readonly #options: CertificatesOptions;
  readonly #expiry: Expiry;
  #timer: Timer | undefined;
  #looking: Promise<void>;
  #isClosed = false;

  constructor(options: CertificatesOptions, { server, interception, tls }: Opened) {
    this.tls = tls;
    this.interception = interception && createLeaves({ authority: interception, clock: options.clock });
    this.authorities = [server, interception].filter((each) => each !== undefined);
    this.#options = options;
    this.#expiry = new Expiry(options.observer);
    this.#looking = this.#look();
  }

  async reload(): Promise<void> {
    const all = [...this.authorities, ...(this.tls === undefined ? [] : [this.tls])];
    const results = await Promise.allSettled(all.map((each) => each.reload()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async renew(kind: AuthorityKind, inMs: number): Promise<Trusted> {
    const authority = this.authorities.find((each) => each.kind === kind);
    if (authority === undefined) throw unsupported(`this server has no ${kind} CA; it makes one when it needs one`);
    if (!isRenewable(authority))
      throw unsupported(`the ${kind} CA is not one of ours; replace its files, which are read again by themselves`);
    return await this.#succeed(authority, this.#options.clock.now() + inMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.tls?.[Symbol.asyncDispose]();
  }

  async #succeed(authority: RenewableAuthority, signsFrom: number): Promise<Trusted> {
    const next = await authority.renew(signsFrom);
    const from = new Date(next.signsFrom ?? signsFrom).toISOString();
    const { fingerprint } = next;
    this.#options.observer.emit({ type: 'authority.renewed', authority: authority.kind, fingerprint, from });
    return next;
  }

  async #look(): Promise<void> {
    try {
      for (const authority of this.authorities) await this.#lookAt(authority);
    } catch (error) {
      const message = messageOf(error);
      this.#options.observer.emit({ type: 'task.failed', task: 'looking after certificate authorities', message });
    }
    const now = this.#options.clock.now();
    this.#expiry.look([...this.authorities.map((each) => datesOf(each, now)), ...(this.tls?.dates ?? [])], now);
    if (this.#isClosed || (this.authorities.length === 0 && this.tls === undefined)) return;
    this.#timer = this.#options.clock.setTimer(lookMs, () => {
      this.#looking = this.#look();
    });
  }

  async #lookAt(authority: Authority): Promise<void> {
    if (!isRenewable(authority)) return;
    await authority.reload();
    const now = this.#options.clock.now();
    const [current, ...others] = authority.trusted();
    const hasNext = others.some(({ signsFrom }) => (signsFrom ?? 0) > now);
    if (current === undefined || hasNext || current.validTo - now > succeededMs) return;
    await this.#succeed(authority, Math.max(now, current.validTo - overlapMs));
  }
}

function unsupported(message: string): RegistryError {
  return new RegistryError('UNSUPPORTED', message, { origin: 'operator' });
}
