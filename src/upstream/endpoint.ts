import type { Clock } from '../observe/clock.ts';
import type { UpstreamRequest } from '../observe/events.ts';
import type { RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { Authorizer } from './authorization.ts';
import type { Authorization } from './authorization.ts';
import type { HttpClient, Outgoing } from './client.ts';
import { collect } from './collect.ts';
import type { Identity } from './contract.ts';
import type { CredentialSource } from './credentials.ts';
import type { Head, Receiver } from './exchange.ts';
import { clientFailure, invalidFailure, statusFailure } from './failure.ts';
import type { Question } from './failure.ts';
import { Pauses, pauseSecondsDefault } from './pauses.ts';
import { parseRateLimit } from './ratelimit.ts';
import type { RateLimit } from './ratelimit.ts';
import { sendFollowing } from './redirects.ts';
import type { Arrival } from './redirects.ts';
import { retryAfterSeconds } from './retry-after.ts';
import { Strangers } from './strangers.ts';

export interface EndpointOptions {
  readonly upstream: string;
  /** Where `/v2/` is, without a trailing slash. */
  readonly url: string;
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly source: CredentialSource | undefined;
  readonly realms: readonly string[];
  readonly insecure: boolean;
  readonly onLimit: (limit: RateLimit) => void;
}

/** One question to a registry. */
export interface Ask {
  /** Below `/v2/`, with its query. */
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly kind: UpstreamRequest['kind'];
  /** For messages: `manifest library/redis:7`. */
  readonly subject: string;
  readonly repository: RepositoryName | undefined;
  readonly as: Identity;
  readonly small: boolean;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly head: Head;
  /** Who was asked, for messages. */
  readonly question: Question;
}

/** One registry address: the upstream's own, or a mirror's. Finds its own way through tokens, redirects and limits. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #url: URL;
  readonly #authorizer: Authorizer;
  readonly #strangers: Strangers;
  readonly #pauses: Pauses;
  readonly #allowPlain: boolean;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#allowPlain = options.insecure || this.#url.protocol === 'http:';
    this.#authorizer = new Authorizer({ ...options, url: this.#url, allowPlain: this.#allowPlain });
    this.#strangers = new Strangers({ ...options, allowPlain: this.#allowPlain });
    this.#pauses = new Pauses(options.clock);
  }

  /**
   * Asks, and once more after a refusal that taught something. Of several answers the receiver takes the last.
   * @throws RegistryError when there is no answer, or none may be asked for now
   */
  async send(ask: Ask, receiver: Receiver): Promise<Answer> {
    this.#mayAsk(ask);
    const travel = { allowPlain: this.#allowPlain, authorize: (url: URL) => this.#strangers.authorize(url) };
    const refusedAt = new Set<string>();
    for (;;) {
      const authorization = await this.#authorizer.authorize(scopeOf(ask), ask.as);
      const outgoing = this.#outgoing(ask, authorization);
      const arrival = await sendFollowing(this.#options.client, outgoing, receiver, travel);
      const { head, url, role } = arrival;
      const withCredentials = role === 'registry' && authorization.withCredentials;
      const answer = { head, question: { ...this.#question(ask), host: url.host, role, withCredentials } };
      this.#note(ask, answer);
      const again = !refusedAt.has(url.origin) && this.#mayTryAgain(ask, arrival, authorization);
      refusedAt.add(url.origin);
      if (!again) return answer;
    }
  }

  /** An answer without its body. */
  peek(ask: Ask): Promise<Answer> {
    return this.send(ask, bodiless);
  }

  /** A small answer whole; the body is `undefined` unless it was successful. */
  async read(ask: Ask, bytesMax: number): Promise<Answer & { readonly body: Buffer }> {
    const collected = collect(bytesMax);
    const answer = await this.send(ask, collected.receiver);
    const body = collected.body();
    if (body === undefined) throw invalidFailure(answer.question, `sent more than ${bytesMax} bytes`);
    return { ...answer, body };
  }

  /** The error for an answer whose status is not what was hoped for. */
  fail(answer: Answer): RegistryError {
    const { question } = answer;
    const { status, headers } = answer.head;
    if (question.forClient === true && question.role === 'registry' && (status === 401 || status === 403)) {
      return clientFailure(question, status, headers['www-authenticate']?.toString());
    }
    return statusFailure(question, status, this.#secondsToWait(answer));
  }

  urlOf(path: string): URL {
    return new URL(`${this.#options.url}/v2/${path}`);
  }

  /** The reverse, for links; `undefined` for what is not below this registry's `/v2/`. */
  pathOf(url: URL): string | undefined {
    const base = this.urlOf('').href;
    return url.href.startsWith(base) ? url.href.slice(base.length) : undefined;
  }

  #mayTryAgain(ask: Ask, { head, url, role, authorization }: Arrival, own: Authorization): boolean {
    if (role === 'registry') return this.#authorizer.refused(head, own, ask.as);
    return this.#strangers.refused(url, head, authorization);
  }

  #mayAsk(ask: Ask): void {
    if (typeof ask.as === 'object') return;
    const seconds = this.#pauses.remaining(pauseOf(ask));
    if (seconds !== undefined) throw statusFailure(this.#question(ask), 429, seconds);
  }

  #note(ask: Ask, answer: Answer): void {
    if (!isOwnMatter(answer)) return;
    const { head } = answer;
    if (head.status === 429) this.#pauses.pause(pauseOf(ask), this.#secondsToWait(answer));
    const limit = parseRateLimit(head.headers);
    if (limit) this.#options.onLimit(limit);
  }

  /** As it says; as long as we pause where it does not. */
  #secondsToWait(answer: Answer): number | undefined {
    const { status, headers } = answer.head;
    const otherwise = status === 429 && isOwnMatter(answer) ? pauseSecondsDefault : undefined;
    return retryAfterSeconds(headers, this.#options.clock.now()) ?? otherwise;
  }

  #outgoing(ask: Ask, { header, withCredentials }: Authorization): Outgoing {
    const { method, kind, subject, small, signal } = ask;
    const url = this.urlOf(ask.path);
    const headers = { ...ask.headers, ...(header === undefined ? {} : { authorization: header }) };
    return { url, method, headers, kind, role: 'registry', subject, withCredentials, small, signal };
  }

  #question({ subject, as }: Ask): Question {
    return {
      forClient: typeof as === 'object',
      upstream: this.#options.upstream,
      host: this.#url.host,
      subject,
      role: 'registry',
      withCredentials: false,
    };
  }
}

/** Between the registry and us. What a client is limited to is its own; what others, to whom we are sent on, allow is theirs. */
function isOwnMatter({ question }: Answer): boolean {
  return question.role === 'registry' && question.forClient !== true;
}

/** It is not there, or no longer. The 410 of a link may be about the link. */
export function isAbsent({ head, question }: Answer): boolean {
  return head.status === 404 || (head.status === 410 && question.role !== 'link');
}

const bodiless: Receiver = { head: () => 'drain', data: () => true };

/** Built here, never taken from a challenge, which could ask for more. */
function scopeOf({ repository }: Ask): string | undefined {
  return repository === undefined ? undefined : `repository:${repository}:pull`;
}

/** Blobs are counted apart: Docker Hub limits manifests, and a pull under way should come to its end. */
function pauseOf({ kind, as }: Ask): string {
  return `${kind === 'blob' ? 'blobs' : 'manifests'} ${typeof as === 'object' ? as.id : as}`;
}
