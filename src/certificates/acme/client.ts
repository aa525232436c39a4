import type { AccountKey } from './jws.ts';
import { kindOf, nonsense, refusedWith, retryAfterSeconds, unreachable } from './problem.ts';

/** The way out, which others build. Rejects when there is no answer. */
export type AcmeTransport = (request: AcmeRequest, signal: AbortSignal) => Promise<AcmeAnswer>;

export interface AcmeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface AcmeAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface AcmeReply {
  readonly url: string;
  readonly location: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly text: string;
  /** The members of the object that it is; none where it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface AccountOptions {
  readonly directoryUrl: string;
  readonly email: string | undefined;
  readonly key: AccountKey;
  readonly send: AcmeTransport;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** A server may refuse a nonce as often as it likes; some do so on purpose. */
const nonceTriesMax = 8;

/** An account at an ACME server (RFC 8555), with which orders are made. Everything throws RegistryErrors. */
export class AcmeAccount {
  readonly #options: AccountOptions;
  #directory: Readonly<Record<string, unknown>> = {};
  #nonce: string | undefined;
  #account: string | undefined;

  private constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** Finds the account of that key, or makes it; by that the terms of service are agreed to. */
  static async open(options: AccountOptions): Promise<AcmeAccount> {
    const account = new AcmeAccount(options);
    account.#directory = (await account.#ask('GET', options.directoryUrl)).json;
    const contact = options.email === undefined ? {} : { contact: [`mailto:${options.email}`] };
    const reply = await account.post(account.#urlOf('newAccount'), { termsOfServiceAgreed: true, ...contact });
    account.#account = reply.location;
    return account;
  }

  /** The reply's `location` is where the order will be found. */
  async order(host: string): Promise<AcmeReply> {
    return await this.post(this.#urlOf('newOrder'), { identifiers: [{ type: 'dns', value: host }] });
  }

  /** What is at that URL. */
  async read(url: string): Promise<AcmeReply> {
    return await this.post(url, undefined);
  }

  async post(url: string, payload: object | undefined): Promise<AcmeReply> {
    for (let tries = 1; ; tries += 1) {
      const nonce = this.#nonce ?? (await this.#newNonce());
      this.#nonce = undefined;
      const body = this.#options.key.sign(url, nonce, this.#account, payload);
      const reply = await this.#ask('POST', url, body, tries < nonceTriesMax);
      if (reply !== undefined) return reply;
    }
  }

  #urlOf(name: string): string {
    return textIn(this.#directory, name);
  }

  async #newNonce(): Promise<string> {
    await this.#ask('HEAD', this.#urlOf('newNonce'));
    if (this.#nonce === undefined) throw nonsense('gave no nonce');
    return this.#nonce;
  }

  #ask(method: AcmeRequest['method'], url: string): Promise<AcmeReply>;
  #ask(method: AcmeRequest['method'], url: string, body: string, mayRepeat: boolean): Promise<AcmeReply | undefined>;
  /** @returns nothing when it may be repeated, and has to be for its nonce's sake */
  async #ask(
    method: AcmeRequest['method'],
    url: string,
    body?: string,
    mayRepeat = false,
  ): Promise<AcmeReply | undefined> {
    const { now } = this.#options;
    const { status, headers, body: text } = await this.#send(method, url, body);
    this.#nonce = headers['replay-nonce'] ?? this.#nonce;
    const json = objectOf(text);
    const retryAfter = headers['retry-after'];
    if (status < 400) {
      return {
        url,
        location: headers['location'],
        retryAfterSeconds: retryAfterSeconds(retryAfter, now()),
        text,
        json,
      };
    }
    if (mayRepeat && kindOf(json) === 'badNonce') return undefined;
    throw refusedWith(status, json, retryAfter, now());
  }

  async #send(method: AcmeRequest['method'], url: string, body: string | undefined): Promise<AcmeAnswer> {
    const { send, signal } = this.#options;
    if (URL.parse(url)?.protocol !== 'https:') throw nonsense(`names ${url}, which is not https`);
    const what = body === undefined ? { headers: {} } : { headers: { 'content-type': 'application/jose+json' }, body };
    try {
      return await send({ method, url, ...what }, signal);
    } catch (cause) {
      throw unreachable(url, cause);
    }
  }
}

export function textIn(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw nonsense(`answered without ${name}`);
}

/** Objects in a list; what else is in it is left out. */
export function objectsIn(
  fields: Readonly<Record<string, unknown>>,
  name: string,
): readonly Readonly<Record<string, unknown>>[] {
  const value = fields[name];
  const all: readonly unknown[] = Array.isArray(value) ? value : [];
  return all.map(recordOf).filter((each) => each !== undefined);
}

export function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : undefined;
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(text)) ?? {};
  } catch {
    return {};
  }
}
