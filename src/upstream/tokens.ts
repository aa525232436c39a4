import type { Clock } from '../observe/clock.ts';
import type { RegistryError } from '../oci/errors.ts';
import { fingerprint } from './credentials.ts';
import type { Credential } from './credentials.ts';

/** Where tokens come from, as a challenge says. */
export interface Realm {
  readonly url: URL;
  readonly service: string | undefined;
}

export interface TokenRequest {
  readonly realm: Realm;
  /** `repository:library/redis:pull`; `undefined` for none. */
  readonly scope: string | undefined;
  readonly credential: Credential | undefined;
}

/** What a token service answered, read. */
export interface Grant {
  readonly token: string;
  readonly expiresInSeconds: number;
}

/** More scopes than this at a time are not kept in mind. */
export const tokensMax = 1_000;
/** A token is not used in its last seconds: the request must arrive with it, and clocks differ. */
const marginSecondsMax = 30;
/** A longer life is not believed, in seconds. */
const lifeSecondsMax = 3_600;

/**
 * Tokens, each for one scope and one identity: asked for once, used for many requests until shortly before they expire.
 * What failed is not kept: who asks next, asks anew.
 */
export class Tokens {
  readonly #clock: Clock;
  readonly #fetch: (request: TokenRequest) => Promise<Grant>;
  readonly #held = new Map<string, { readonly token: string; readonly until: number }>();
  readonly #asking = new Map<string, Promise<string>>();

  /** @param fetch asks the service; throws RegistryError */
  constructor(clock: Clock, fetch: (request: TokenRequest) => Promise<Grant>) {
    this.#clock = clock;
    this.#fetch = fetch;
  }

  /** @throws RegistryError what the service's failure came to */
  async get(request: TokenRequest): Promise<{ readonly token: string; readonly reused: boolean }> {
    const key = keyOf(request);
    const held = this.#held.get(key);
    if (held && held.until > this.#clock.monotonic()) return { token: held.token, reused: true };
    const token = await (this.#asking.get(key) ?? this.#ask(key, request));
    return { token, reused: false };
  }

  /** The registry refused this token. Only that very token is forgotten: another may have come meanwhile. */
  refused(token: string): void {
    for (const [key, held] of this.#held) if (held.token === token) this.#held.delete(key);
  }

  #ask(key: string, request: TokenRequest): Promise<string> {
    const asking = this.#fetch(request)
      .then((grant) => this.#keep(key, grant))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  #keep(key: string, { token, expiresInSeconds }: Grant): string {
    const life = Math.min(expiresInSeconds, lifeSecondsMax);
    const usable = life - Math.min(marginSecondsMax, life / 5);
    const [oldest] = this.#held.keys();
    if (this.#held.size >= tokensMax && oldest !== undefined) this.#held.delete(oldest);
    this.#held.delete(key);
    this.#held.set(key, { token, until: this.#clock.monotonic() + usable * 1000 });
    return token;
  }
}

function keyOf({ realm, scope, credential }: TokenRequest): string {
  const who = credential === undefined ? '' : fingerprint(credential);
  return [realm.url.href, realm.service ?? '', scope ?? '', who].join('\n');
}

/** The distribution token specification's default when `expires_in` is missing, in seconds. */
const lifeSecondsDefault = 60;

/**
 * The body of a token service's answer (https://distribution.github.io/distribution/spec/auth/token/, and RFC 6749, 5.1).
 * @throws the error that `invalid` makes
 */
export function parseGrant(body: Uint8Array, invalid: (what: string) => RegistryError): Grant {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw invalid('sent no JSON instead of a token');
  }
  if (typeof answer !== 'object' || answer === null) throw invalid('sent no token');
  const fields: { token?: unknown; access_token?: unknown; expires_in?: unknown } = answer;
  const token = [fields.token, fields.access_token].find((value) => typeof value === 'string' && value !== '');
  // What cannot stand in a header field would be a way to smuggle one in.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw invalid('sent no token');
  const life = fields.expires_in;
  const known = typeof life === 'number' && Number.isFinite(life) && life > 0;
  return { token, expiresInSeconds: known ? life : lifeSecondsDefault };
}
