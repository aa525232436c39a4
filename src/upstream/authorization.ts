import type { Clock } from '../observe/clock.ts';
import { messageOf, RegistryError } from '../oci/errors.ts';
import { parseChallenges } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import type { HttpClient, Outgoing } from './client.ts';
import { collect } from './collect.ts';
import type { Identity } from './contract.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import type { Head } from './exchange.ts';
import { failure, realmFailure, statusFailure } from './failure.ts';
import type { Question } from './failure.ts';
import { Pauses, pauseSecondsDefault } from './pauses.ts';
import { sendFollowing } from './redirects.ts';
import { retryAfterSeconds } from './retry-after.ts';
import { parseGrant, Tokens } from './tokens.ts';
import type { Grant, Realm, TokenRequest } from './tokens.ts';

export interface AuthorizerOptions {
  readonly upstream: string;
  /** The registry's own URL. */
  readonly url: URL;
  readonly client: HttpClient;
  readonly clock: Clock;
  /** `undefined`: nobody's credentials are ever sent. */
  readonly source: CredentialSource | undefined;
  /** Hosts (or `host:port`) of token services besides the registry's own; exact. */
  readonly realms: readonly string[];
  /** Plain http is all right, too. */
  readonly allowPlain: boolean;
}

/** What one request says about who sends it. */
export interface Authorization {
  /** The field's value; `undefined` sends none. */
  readonly header: string | undefined;
  readonly withCredentials: boolean;
  /** It rests on a token that served an earlier request. */
  readonly reused: boolean;
}

export const noAuthorization: Authorization = { header: undefined, withCredentials: false, reused: false };
export const tokenBytesMax = 65_536;

/**
 * Who we are to one registry. Its challenge is learned once; from then on tokens are there before a request goes out, one
 * for each repository, so that a pull costs one token request and no refusal.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens: Tokens;
  readonly #pauses: Pauses;
  #scheme: { readonly kind: 'basic' } | { readonly kind: 'bearer'; readonly realm: Realm } | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.clock, (request) => this.#fetch(request));
    this.#pauses = new Pauses(options.clock);
  }

  /** @throws RegistryError when a token is needed and cannot be had */
  async authorize(scope: string | undefined, as: Identity): Promise<Authorization> {
    if (typeof as === 'object') return { ...noAuthorization, header: as.authorization?.reveal() };
    const scheme = this.#scheme;
    if (scheme === undefined) return noAuthorization;
    const credential = as === 'own' ? await this.#credential() : undefined;
    const withCredentials = credential !== undefined;
    if (credential?.kind === 'bearer') {
      return { header: `Bearer ${credential.token.reveal()}`, withCredentials, reused: false };
    }
    if (scheme.kind === 'bearer') {
      const { token, reused } = await this.#tokens.get({ realm: scheme.realm, scope, credential });
      return { header: `Bearer ${token}`, withCredentials, reused };
    }
    if (credential?.kind !== 'password') return noAuthorization;
    return { header: basic(credential), withCredentials, reused: false };
  }

  /**
   * What a refusal teaches: a 401 how to prove ourselves, a 403 perhaps that the token is older than the permission.
   * @returns whether to ask again
   * @throws RegistryError `UPSTREAM_DENIED` when it names a token service that is not trusted
   */
  refused({ status, headers }: Head, used: Authorization, as: Identity): boolean {
    if (typeof as === 'object') return false;
    if (status === 403) {
      this.#forget(used);
      return used.reused;
    }
    return status === 401 && this.#learn(headers['www-authenticate'], used, as);
  }

  #learn(field: string | string[] | undefined, used: Authorization, as: Identity): boolean {
    const challenges = parseChallenges(field);
    const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'));
    if (bearer) {
      this.#scheme = { kind: 'bearer', realm: this.#realm(bearer) };
    } else if (challenges.some(({ scheme }) => scheme === 'basic')) {
      this.#scheme = { kind: 'basic' };
      if (as !== 'own' || this.#options.source === undefined) return false;
    } else {
      return false;
    }
    this.#forget(used);
    if (used.withCredentials) this.#options.source?.refused();
    return true;
  }

  #forget({ header }: Authorization): void {
    if (header !== undefined) this.#tokens.refused(header.replace(/^Bearer /, ''));
  }

  async #credential(): Promise<Credential | undefined> {
    const { source, upstream } = this.#options;
    try {
      return await source?.get();
    } catch (error) {
      if (error instanceof RegistryError) throw error;
      const why = messageOf(error);
      const advice = `check upstreams.${upstream}.credentials`;
      throw new RegistryError('UPSTREAM_DENIED', `no credentials for ${upstream}: ${why}; ${advice}`, {
        upstream,
        origin: 'operator',
        cause: error,
      });
    }
  }

  /** Only to the registry's own host, or to one that is listed: whoever answers a request could name any. */
  #realm({ parameters }: Challenge): Realm {
    const { url: own, realms, allowPlain, upstream } = this.#options;
    const question: Question = {
      upstream,
      host: own.host,
      subject: 'a token',
      role: 'registry',
      withCredentials: false,
    };
    const url = URL.parse(parameters.get('realm') ?? '');
    if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
      throw realmFailure(question, 'its address is no http or https URL', 'its host');
    }
    if (url.host !== own.host && !realms.some((realm) => sameHost(realm, url))) {
      throw realmFailure(question, `${url.host} is another host`, url.host);
    }
    if (url.protocol === 'http:' && !allowPlain) {
      throw realmFailure(question, `${url.host} is asked over plain http`, 'an https one');
    }
    url.hash = '';
    return { url, service: parameters.get('service') };
  }

  async #fetch(request: TokenRequest): Promise<Grant> {
    const { credential } = request;
    const pause = credential === undefined ? 'anonymous' : 'own';
    const question = this.#question(request);
    const seconds = this.#pauses.remaining(pause);
    if (seconds !== undefined) throw statusFailure(question, 429, seconds);
    let answer = await this.#ask(credential?.kind === 'refresh' ? this.#post(request) : this.#get(request));
    if ((answer.status === 404 || answer.status === 405) && credential?.kind === 'password') {
      answer = await this.#ask(this.#post(request));
    }
    const told = retryAfterSeconds(answer.headers, this.#options.clock.now());
    const wait = answer.status === 429 ? (told ?? pauseSecondsDefault) : told;
    if (answer.status === 429) this.#pauses.pause(pause, wait);
    if (answer.status === 401 && credential !== undefined) this.#options.source?.refused();
    if (answer.status !== 200) throw tokenFailure(question, answer.status, wait);
    const invalid = (what: string): RegistryError => this.#options.client.invalid(this.#get(request), what);
    if (answer.body === undefined) throw invalid(`sent more than ${tokenBytesMax} bytes instead of a token`);
    return parseGrant(answer.body, invalid);
  }

  async #ask(outgoing: Outgoing): Promise<TokenAnswer> {
    const collected = collect(tokenBytesMax);
    const { client, allowPlain } = this.#options;
    const { head } = await sendFollowing(client, outgoing, collected.receiver, { allowPlain });
    return { status: head.status, headers: head.headers, body: collected.body() };
  }

  #get(request: TokenRequest): Outgoing {
    const { realm, scope, credential } = request;
    const url = new URL(realm.url);
    if (realm.service !== undefined) url.searchParams.set('service', realm.service);
    if (scope !== undefined) url.searchParams.set('scope', scope);
    const headers = credential?.kind === 'password' ? { authorization: basic(credential) } : {};
    return { ...this.#outgoing(request, url), method: 'GET', headers };
  }

  /** https://distribution.github.io/distribution/spec/auth/oauth/ */
  #post(request: TokenRequest): Outgoing {
    const { realm, scope, credential } = request;
    const form = new URLSearchParams({ client_id: 'entrepot' });
    if (realm.service !== undefined) form.set('service', realm.service);
    if (scope !== undefined) form.set('scope', scope);
    if (credential?.kind === 'refresh') {
      form.set('grant_type', 'refresh_token');
      form.set('refresh_token', credential.token.reveal());
    } else if (credential?.kind === 'password') {
      form.set('grant_type', 'password');
      form.set('username', credential.username);
      form.set('password', credential.password.reveal());
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { ...this.#outgoing(request, realm.url), method: 'POST', headers, body: form.toString() };
  }

  #outgoing(request: TokenRequest, url: URL): Omit<Outgoing, 'method' | 'headers'> {
    const { subject, withCredentials } = this.#question(request);
    return { url, kind: 'token', role: 'token', subject, withCredentials, small: true };
  }

  #question({ realm, scope, credential }: TokenRequest): Question {
    const subject = scope === undefined ? 'a token' : `a token for ${scope}`;
    const withCredentials = credential !== undefined;
    return { upstream: this.#options.upstream, host: realm.url.host, subject, role: 'token', withCredentials };
  }
}

interface TokenAnswer {
  readonly status: number;
  readonly headers: Parameters<typeof retryAfterSeconds>[0];
  readonly body: Buffer | undefined;
}

/** 400 is how OAuth2 refuses credentials (RFC 6749, 5.2). */
function tokenFailure(question: Question, status: number, wait: number | undefined): RegistryError {
  if (status === 400 && question.withCredentials) {
    const advice = `check upstreams.${question.upstream}.credentials`;
    const message = `the token service of ${question.upstream} (${question.host}) refused our credentials (400); ${advice}`;
    return failure('UPSTREAM_DENIED', question, message, { upstreamStatus: status });
  }
  return statusFailure(question, status, wait);
}

function basic({ username, password }: { username: string; password: { reveal(): string } }): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`;
}

/** `realm` without a port means the default one. */
function sameHost(realm: string, url: URL): boolean {
  return URL.parse(`${url.protocol}//${realm}`)?.host === url.host;
}
