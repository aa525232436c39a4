import type { Pool } from 'undici';
import type { Clock } from '../observe/clock.ts';
import type { Observer, UpstreamRequest } from '../observe/events.ts';
import type { ErrorCode, RegistryError } from '../oci/errors.ts';
import { Circuit, healthOf } from './circuit.ts';
import type { Health, Leave } from './circuit.ts';
import type { RelayAnswer, RelayRequest, Upgraded, UpgradeRequest } from './contract.ts';
import { createDialer } from './dial.ts';
import type { DialOptions, Dialer } from './dial.ts';
import { exchange } from './exchange.ts';
import type { Ending, Head, Receiver } from './exchange.ts';
import { brokenFailure, failure, invalidFailure, statusFailure, unnamed } from './failure.ts';
import type { Question, Role } from './failure.ts';
import type { ForwardProxy } from './proxy.ts';
import { viaOf } from './mark.ts';
import { isDeath, relay, RelayBroken, upgrade } from './relay.ts';
import { loadUndici } from './undici.ts';

/** One request, to whichever origin. */
export interface Outgoing {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly kind: UpstreamRequest['kind'];
  readonly role: Role;
  /** For messages: `manifest library/redis:7`. */
  readonly subject: string;
  readonly withCredentials: boolean;
  /** A body of a few kilobytes, due as a whole within the stall time. */
  readonly small: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientOptions {
  readonly upstream: string;
  readonly userAgent: string;
  /** Sent along, so that what comes back to us is known. */
  readonly mark: string | undefined;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly timeouts: { readonly headersMs: number; readonly stallMs: number };
  readonly dial: DialOptions;
  /** Told when the first of its origins is left alone, and when none is any more. */
  readonly onCircuit: (state: 'open' | 'closed', reason: string) => void;
  /** The proxy that takes requests for such a URL whole (plain http); `undefined` for none. */
  readonly forward: (url: URL) => ForwardProxy | undefined;
}

/** Origins that are kept in mind; a registry, its token service and its storage are a handful. */
const originsMax = 32;
const keepAliveMs = 15_000;
const keepAliveMsMax = 60_000;

/**
 * Every request of ours to one upstream, wherever it goes: registry, mirrors, token service, redirect target. HTTP/1.1
 * alone, which moves bytes at a third of HTTP/2's cost in Node.
 */
export class HttpClient {
  readonly #options: ClientOptions;
  readonly #dialer: Dialer;
  readonly #origins = new Map<string, OriginState>();
  #open = 0;
  #closed = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#dialer = createDialer(options.dial);
  }

  /**
   * One exchange; redirects and challenges are answers like others.
   * @throws RegistryError `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT`, `UPSTREAM_INVALID`; while the circuit is open what
   *   opened it, at once; the signal's reason
   */
  async send(outgoing: Outgoing, receiver: Receiver): Promise<Head> {
    const origin = await this.#origin(outgoing.url);
    const leave = origin.circuit.enter();
    if ('error' in leave) throw putOff(this.#question(outgoing), leave);
    const startedAt = this.#options.clock.monotonic();
    let ending: Ending;
    try {
      ending = await this.#ask(outgoing, receiver, origin);
    } catch (error) {
      origin.circuit.report(leave, { kind: 'unknown' });
      this.#tell(outgoing, startedAt, undefined, undefined);
      throw error;
    }
    return this.#judge(outgoing, ending, { origin, leave, startedAt });
  }

  /**
   * Passes a client's request on. What the other end says to it is between the two: only whether it can be reached counts
   * for anybody else.
   * @throws RegistryError as `send` does; what the client's body threw; the signal's reason
   */
  async relay(url: URL, request: RelayRequest): Promise<RelayAnswer> {
    const { upstream, clock, timeouts, mark } = this.#options;
    const { pool, circuit, forward } = await this.#origin(url);
    const subject = `${request.method} for a client`;
    const question = { upstream, host: url.host, subject, role: 'registry', withCredentials: false } as const;
    const leave = circuit.enter();
    if ('error' in leave) throw putOff(question, leave);
    const asked = { kind: 'relay', method: request.method, startedAt: clock.monotonic() } as const;
    const path = forward === undefined ? request.path : url.origin + request.path;
    const headers = { ...request.headers, ...viaOf(mark, request.headers['via']), host: url.host, ...forward?.headers };
    const explain = (broken: RelayBroken): RegistryError => brokenFailure(question, broken.breakdown);
    try {
      const answer = await relay({ ...request, path, headers }, { dispatcher: pool, clock, ...timeouts, explain });
      circuit.report(leave, answer.status < 500 ? { kind: 'well' } : { kind: 'unknown' });
      this.#tellOf(asked, { status: answer.status });
      return answer;
    } catch (error) {
      const failed = error instanceof RelayBroken ? explain(error) : undefined;
      const dead = error instanceof RelayBroken && isDeath(error.breakdown, request.path);
      circuit.report(leave, dead && failed ? { kind: 'dead', error: failed } : { kind: 'unknown' });
      this.#tellOf(asked, { failure: failed?.code });
      throw failed ?? error;
    }
  }

  /**
   * The same for a connection that is to speak something else.
   * @throws RegistryError as `relay` does, and when the other end does not agree
   */
  async upgrade(url: URL, request: UpgradeRequest): Promise<Upgraded> {
    const { upstream, clock, timeouts, mark } = this.#options;
    const { pool, circuit, forward } = await this.#origin(url);
    const question = {
      upstream,
      host: url.host,
      subject: request.protocol,
      role: 'registry',
      withCredentials: false,
    } as const;
    const leave = circuit.enter();
    if ('error' in leave) throw putOff(question, leave);
    circuit.report(leave, { kind: 'unknown' });
    const path = forward === undefined ? request.path : url.origin + request.path;
    const headers = { ...request.headers, ...viaOf(mark, request.headers['via']), host: url.host, ...forward?.headers };
    const options = { dispatcher: pool, clock, headersMs: timeouts.headersMs };
    return await upgrade({ ...request, path, headers }, options).catch((error: unknown) => {
      throw error instanceof RelayBroken ? brokenFailure(question, error.breakdown) : error;
    });
  }

  /** The error for an answer that cannot be right; `what` completes "docker.io (host) ...". */
  invalid(outgoing: Outgoing, what: string): RegistryError {
    return invalidFailure(this.#question(outgoing), what);
  }

  /** Whether any origin is not being asked. */
  get open(): boolean {
    return this.#open > 0;
  }

  /** Breaks off what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#origins.values()].map(({ pool }) => pool.destroy()));
  }

  /** A connection that had been idle may turn out to be closed; that costs one more try, not the request. */
  async #ask(outgoing: Outgoing, receiver: Receiver, origin: OriginState): Promise<Ending> {
    const ending = await this.#exchange(outgoing, receiver, origin);
    // Whatever the method: what we POST or PUT asks for a token, and two of them do no harm.
    return ending.stale ? await this.#exchange(outgoing, receiver, origin) : ending;
  }

  #exchange(outgoing: Outgoing, receiver: Receiver, { pool, circuit, forward }: OriginState): Promise<Ending> {
    const { clock, timeouts, userAgent, mark } = this.#options;
    const { url, method, body } = outgoing;
    const path = url.pathname + url.search;
    const headers = { 'user-agent': userAgent, 'accept-encoding': 'identity', ...viaOf(mark), ...outgoing.headers };
    return exchange({
      dispatcher: pool,
      request: {
        method,
        path: forward === undefined ? path : url.origin + path,
        headers: forward === undefined ? headers : { ...headers, host: url.host, ...forward.headers },
        ...(body === undefined ? {} : { body }),
        // undici closes the connection after a HEAD in case a body follows; registries know better.
        reset: false,
      },
      receiver,
      clock,
      headersMs: timeouts.headersMs,
      stallMs: timeouts.stallMs,
      small: outgoing.small,
      signal: outgoing.signal,
      fresh: () => this.#dialer.handingOver,
      begun: () => outgoing.small || circuit.answers(),
    });
  }

  #judge(outgoing: Outgoing, ending: Ending, { origin, leave, startedAt }: Journey): Head {
    const { head, breakdown } = ending;
    const question = this.#question(outgoing);
    const kind = healthOf(ending, outgoing.small);
    if (head === undefined || breakdown !== undefined) {
      const how = breakdown ?? { stage: 'headers', why: 'cut', text: 'no answer' };
      const error = brokenFailure(question, how);
      origin.circuit.report(leave, { kind, error: brokenFailure(unnamed(question), how) });
      this.#tell(outgoing, startedAt, ending, error.code);
      throw error;
    }
    const health: Health = kind === 'well' ? { kind } : { kind, error: statusFailure(unnamed(question), head.status) };
    origin.circuit.report(leave, health);
    this.#tell(outgoing, startedAt, ending, undefined);
    return head;
  }

  #tell(outgoing: Outgoing, startedAt: number, ending: Ending | undefined, code: ErrorCode | undefined): void {
    const { kind, method } = outgoing;
    const how = { status: ending?.head?.status ?? 0, bytes: ending?.bytes ?? 0, failure: code };
    this.#tellOf({ kind, method, startedAt }, how);
  }

  #tellOf({ startedAt, ...asked }: Asked, how: Partial<UpstreamRequest>): void {
    const { upstream, observer, clock } = this.#options;
    const unlessTold = { ms: clock.monotonic() - startedAt, status: 0, bytes: 0, failure: undefined };
    observer.emit({ type: 'upstream.request', upstream, ...asked, ...unlessTold, ...how });
  }

  #question({ url, subject, role, withCredentials }: Outgoing): Question {
    return { upstream: this.#options.upstream, host: url.host, subject, role, withCredentials };
  }

  async #origin(url: URL): Promise<OriginState> {
    const { Pool } = await loadUndici();
    if (this.#closed) {
      throw failure('UPSTREAM_UNREACHABLE', this.#options, `${this.#options.upstream} is not asked: we are stopping`);
    }
    const found = this.#origins.get(url.origin);
    if (found) return found;
    if (this.#origins.size >= originsMax) this.#forgetOne();
    return this.#makeOrigin(url, Pool);
  }

  #makeOrigin(url: URL, OriginPool: typeof Pool): OriginState {
    const forward = this.#options.forward(url);
    const pool = new OriginPool(forward?.origin ?? url.origin, {
      connect: forward === undefined ? this.#dialer.connect : this.#dialer.connectNamed,
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMsMax,
    });
    const circuit: Circuit = new Circuit(this.#options.clock, (state, reason) => {
      if (this.#origins.get(url.origin)?.circuit === circuit) this.#changed(state, reason);
    });
    const made = { pool, circuit, forward };
    this.#origins.set(url.origin, made);
    return made;
  }

  #changed(state: 'open' | 'closed', reason: string): void {
    const others = this.#open;
    this.#open += state === 'open' ? 1 : -1;
    if (others === 0 || this.#open === 0) this.#options.onCircuit(state, reason);
  }

  /** The one that has been known longest; its exchanges come to their end, then its connections are closed. */
  #forgetOne(): void {
    const [oldest] = this.#origins;
    if (oldest === undefined) return;
    const [origin, { pool, circuit }] = oldest;
    this.#origins.delete(origin);
    if (circuit.open) this.#changed('closed', 'it is forgotten');
    void pool.close();
  }
}

interface Asked {
  readonly kind: UpstreamRequest['kind'];
  readonly method: string;
  readonly startedAt: number;
}

interface OriginState {
  readonly pool: Pool;
  readonly circuit: Circuit;
  readonly forward: ForwardProxy | undefined;
}

interface Journey {
  readonly origin: OriginState;
  readonly leave: Leave;
  readonly startedAt: number;
}

/** The failure that opened the circuit, told to one who did not wait for it. */
function putOff(question: Question, { error, waitMs }: { error: RegistryError; waitMs: number }): RegistryError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  const message = `${question.host} is not asked for ${question.subject}: it failed a moment ago (${error.message}); try again in ${seconds} s`;
  const status = error.upstreamStatus === undefined ? {} : { upstreamStatus: error.upstreamStatus };
  return failure(error.code, question, message, { retryAfterSeconds: seconds, cause: error, ...status });
}
