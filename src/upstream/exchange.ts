import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../observe/clock.ts';
import type { Breakdown } from './failure.ts';

/** The head of an answer. */
export interface Head {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
}

/** Who gets an answer, piece by piece. */
export interface Receiver {
  /** `take` the body, `drain` it (a small one nobody wants, for the sake of the connection), or `leave`. */
  head(head: Head): 'take' | 'drain' | 'leave';
  /** A promise holds the other side back. False, or a promise of it, breaks off. The chunk is the receiver's to keep. */
  data(chunk: Buffer): boolean | Promise<boolean>;
}

export interface ExchangeOptions {
  readonly dispatcher: Dispatcher;
  readonly request: Dispatcher.DispatchOptions;
  readonly receiver: Receiver;
  readonly clock: Clock;
  /** From the request's last byte to the answer's first. */
  readonly headersMs: number;
  /** Between two pieces of the body; of a small body, for all of it. */
  readonly stallMs: number;
  readonly small: boolean;
  readonly signal: AbortSignal | undefined;
  /** Whether the connection that is being written to has never carried a request. */
  readonly fresh: () => boolean;
  /** Told once, when the first bytes of a body arrive that somebody takes. */
  readonly begun: () => void;
}

export interface Ending {
  readonly head: Head | undefined;
  /** Body bytes that arrived. */
  readonly bytes: number;
  /** `undefined`: it came to its end, or the receiver left. */
  readonly breakdown: Breakdown | undefined;
  /** Broken, without an answer, on a connection that had been lying idle: as good as not having been asked. */
  readonly stale: boolean;
}

/** So many bytes are taken ahead of a receiver that is not ready, so that it and the network work at the same time. */
const aheadBytesMax = 65_536;
/** A body that is drained may have so many bytes, and take so long. */
const drainBytesMax = 65_536;
const drainMsMax = 1_000;

/**
 * One request and its answer, with deadlines of our own and with back-pressure. How it went is a value; it throws only what
 * the receiver threw, or the signal's reason.
 */
export function exchange(options: ExchangeOptions): Promise<Ending> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    const running = new Exchange(options, resolve, reject);
    options.dispatcher.dispatch(options.request, running);
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #resolve: (ending: Ending) => void;
  readonly #reject: (reason: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #head: Head | undefined;
  #bytes = 0;
  #fresh = true;
  #draining = false;
  /** When the body last moved, by the clock's monotonic milliseconds. */
  #movedAt = 0;
  #timer: Timer | undefined;
  /** The receiver is not ready; what arrives waits here. After a pause that may be more, when the peer closes. */
  #held = false;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #paused = false;
  #ended = false;
  #broken: Breakdown | undefined;
  #settled = false;
  readonly #aborted = (): void => this.#throw(this.#options.signal?.reason);

  constructor(options: ExchangeOptions, resolve: (ending: Ending) => void, reject: (reason: unknown) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    options.signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) return controller.abort(new Error('nobody waits for it any more'));
    this.#fresh = this.#options.fresh();
    const { headersMs } = this.#options;
    this.#arm(headersMs, () =>
      this.#break({ stage: 'headers', why: 'timeout', text: `no answer within ${headersMs} ms` }),
    );
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (this.#settled || status < 200) return;
    this.#head = { status, headers };
    this.#movedAt = this.#options.clock.monotonic();
    const wish = this.#wish(this.#head);
    if (wish === 'leave') return this.#leave(controller);
    this.#draining = wish === 'drain';
    if (this.#draining) this.#arm(drainMsMax, () => this.#leave(controller));
    else this.#watch();
  }

  #wish(head: Head): ReturnType<Receiver['head']> {
    try {
      return this.#options.receiver.head(head);
    } catch (error) {
      this.#throw(error);
      return 'leave';
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    // The parser begins again after a pause with a chunk of nothing; held back once more, it would do so for ever.
    if (this.#settled || chunk.length === 0) return;
    if (this.#bytes === 0 && !this.#draining) this.#options.begun();
    this.#bytes += chunk.length;
    if (!this.#options.small) this.#movedAt = this.#options.clock.monotonic();
    if (this.#draining) {
      if (this.#bytes > drainBytesMax) this.#leave(controller);
    } else if (this.#held) {
      this.#enqueue(controller, chunk);
    } else {
      this.#give(controller, chunk);
    }
  }

  #enqueue(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes < aheadBytesMax || this.#paused) return;
    this.#paused = true;
    controller.pause();
  }

  /**
   * undici takes a connection back a turn of the event loop later. Who is told sooner, and asks something else at once,
   * pays for another connection and its handshake.
   */
  onResponseEnd(): void {
    setImmediate(() => setImmediate(() => this.#end()));
  }

  #end(): void {
    this.#ended = true;
    if (!this.#held) this.#settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#broken ??= this.#describe(error);
    this.#end();
  }

  #give(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    let answer: boolean | Promise<boolean>;
    try {
      answer = this.#options.receiver.data(chunk);
    } catch (error) {
      return this.#throw(error);
    }
    if (answer === true) return;
    if (answer === false) return this.#leave(controller);
    this.#held = true;
    answer.then(
      (more) => (more ? this.#goOn(controller) : this.#leave(controller)),
      (error: unknown) => this.#throw(error),
    );
  }

  /** The receiver is ready again: what arrived meanwhile goes to it in one piece. */
  #goOn(controller: Dispatcher.DispatchController): void {
    this.#held = false;
    const [only, ...others] = this.#queue;
    if (only !== undefined) {
      const chunk = others.length === 0 ? only : Buffer.concat(this.#queue, this.#queuedBytes);
      this.#queue = [];
      this.#queuedBytes = 0;
      this.#give(controller, chunk);
    }
    if (this.#settled) return;
    if (this.#ended) {
      if (!this.#held) this.#settle();
      return;
    }
    if (!this.#held) this.#movedAt = this.#options.clock.monotonic();
    if (!this.#paused) return;
    this.#paused = false;
    controller.resume();
  }

  /** One timer for the whole body: setting one for every chunk would cost more than the chunk. */
  #watch(): void {
    const { clock, stallMs } = this.#options;
    const left = this.#movedAt + stallMs - clock.monotonic();
    this.#arm(Math.max(left, 1), () => {
      if (!this.#held && clock.monotonic() - this.#movedAt >= stallMs) {
        this.#break({ stage: 'body', why: 'timeout', text: `nothing arrived for ${stallMs} ms` });
      } else {
        if (this.#held) this.#movedAt = clock.monotonic();
        this.#watch();
      }
    });
  }

  #arm(ms: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(ms, run);
  }

  #describe(error: Error): Breakdown {
    const stage = this.#controller === undefined ? 'connect' : this.#head === undefined ? 'headers' : 'body';
    return describeError(error, stage);
  }

  #break(breakdown: Breakdown): void {
    this.#broken = breakdown;
    this.#queue = [];
    this.#settle();
    this.#controller?.abort(new Error(breakdown.text));
  }

  #leave(controller: Dispatcher.DispatchController): void {
    this.#broken = undefined;
    this.#settle();
    controller.abort(new Error('the rest is not wanted'));
  }

  #throw(reason: unknown): void {
    if (this.#settled) return;
    this.#release();
    this.#reject(reason);
    this.#controller?.abort(new Error('given up'));
  }

  #settle(): void {
    if (this.#settled) return;
    this.#release();
    const breakdown = this.#draining ? undefined : this.#broken;
    const stale = breakdown?.stage === 'headers' && breakdown.why === 'cut' && !this.#fresh;
    this.#resolve({ head: this.#head, bytes: this.#bytes, breakdown, stale });
  }

  #release(): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener('abort', this.#aborted);
  }
}

const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** undici's, Node's and our own errors as one of four kinds. */
export function describeError(error: Error, stage: Breakdown['stage']): Breakdown {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const advice = 'advice' in error && typeof error.advice === 'string' ? { advice: error.advice } : {};
  // OpenSSL's message is for its own developers; its reason is not.
  const reason = 'reason' in error && code.startsWith('ERR_SSL_') ? `TLS: ${String(error.reason)}` : error.message;
  const text = reason === '' ? code : reason;
  if (timeoutCodes.has(code)) return { stage, why: 'timeout', text, code, ...advice };
  const nonsense = code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE';
  if (nonsense || code === 'UND_ERR_HEADERS_OVERFLOW') return { stage, why: 'nonsense', text, code };
  return { stage, why: stage === 'connect' ? 'refused' : 'cut', text, code, ...advice };
}
