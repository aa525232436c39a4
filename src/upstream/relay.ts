import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock, Timer } from '../observe/clock.ts';
import { asError } from '../oci/errors.ts';
import type { ByteStream, Filled } from '../oci/upload.ts';
import type { RelayAnswer, RelayRequest, Upgraded, UpgradeRequest } from './contract.ts';
import { describeError } from './exchange.ts';
import type { Breakdown } from './failure.ts';

export interface RelayOptions {
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  /** How long an answer may take for which something is only looked up. */
  readonly headersMs: number;
  /** Between two pieces of the answer. */
  readonly stallMs: number;
  /** The error for an answer that breaks off. */
  readonly explain: (broken: RelayBroken) => Error;
}

/** A registry may move gigabytes before it says yes to a push. In milliseconds. */
const digestingMsMax = 15 * 60_000;

/** It came to no answer, or to half of one. */
export class RelayBroken extends Error {
  readonly breakdown: Breakdown;

  constructor(breakdown: Breakdown) {
    super(breakdown.text);
    this.breakdown = breakdown;
  }
}

/**
 * One request passed on and its answer back, of any size in both directions: neither side is read faster than the other
 * takes it.
 * @throws RelayBroken; what reading the request's body threw; the signal's reason
 */
export async function relay(request: RelayRequest, options: RelayOptions): Promise<RelayAnswer> {
  const patience = new Patience(request.signal, options.clock);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const waitForAnswer = (): void => patience.wait(isRead ? options.headersMs : digestingMsMax, 'no answer');
  const body = request.body && new SentBody(request.body, waitForAnswer);
  if (body === undefined) waitForAnswer();
  try {
    const answer = await options.dispatcher.request({
      method: request.method,
      path: request.path,
      headers: { ...request.headers },
      body: body?.readable ?? null,
      signal: patience.signal,
      responseHeaders: 'raw',
    });
    patience.rest();
    const chunks = piecesOf(answer.body, patience, options);
    return {
      status: answer.statusCode,
      headers: pairsOf(answer.headers),
      chunks,
      cancel: () => patience.giveUp(new Error('the rest is not wanted')),
    };
  } catch (error) {
    throw patience.explain(error, 'headers', body?.failure);
  }
}

/**
 * A request for another protocol, and the connection that speaks it.
 * @throws RelayBroken, also where the other end answers with anything but 101; the signal's reason
 */
export async function upgrade(
  { path, headers, protocol, signal }: UpgradeRequest,
  { dispatcher, clock, headersMs }: Pick<RelayOptions, 'dispatcher' | 'clock' | 'headersMs'>,
): Promise<Upgraded> {
  const patience = new Patience(signal, clock);
  patience.wait(headersMs, 'no answer');
  try {
    const options = {
      path,
      headers: { ...headers },
      protocol,
      signal: patience.signal,
      responseHeaders: 'raw',
    } as const;
    const { headers: answered, socket } = await dispatcher.upgrade(options);
    patience.rest();
    return { headers: pairsOf(answered), socket };
  } catch (error) {
    throw patience.explain(error, 'headers', undefined);
  }
}

/** A client's body is passed on in pieces of at most so many bytes, each in a buffer of its own. */
const pieceBytes = 65_536;
const lend = (): Buffer => Buffer.allocUnsafeSlow(pieceBytes);

class SentBody {
  readonly readable: Readable;
  /** What reading it threw: whoever could not be reached destroys the readable with an error of its own. */
  failure: Error | undefined;

  constructor(stream: ByteStream, ended: () => void) {
    this.readable = Readable.from(this.#pieces(stream, ended), { objectMode: false });
  }

  async *#pieces(stream: ByteStream, ended: () => void): AsyncIterable<Uint8Array> {
    for (let next = await this.#fill(stream); next !== undefined; next = await this.#fill(stream)) {
      yield next.buffer.subarray(0, next.bytes);
    }
    ended();
  }

  async #fill(stream: ByteStream): Promise<Filled<Buffer> | undefined> {
    try {
      return await stream.fill(lend);
    } catch (error) {
      this.failure = asError(error);
      throw error;
    }
  }
}

async function* piecesOf(body: Readable, patience: Patience, options: RelayOptions): AsyncIterable<Uint8Array> {
  const pieces = body.iterator() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      patience.wait(options.stallMs, 'nothing arrived');
      const { value, done } = await pieces.next();
      patience.rest();
      if (done === true) return;
      yield value;
    }
  } catch (error) {
    const explained = patience.explain(error, 'body', undefined);
    throw explained instanceof RelayBroken ? options.explain(explained) : explained;
  } finally {
    patience.rest();
    body.on('error', () => {}).destroy();
  }
}

/**
 * Whether nobody is there. Who asks for something odd may have to wait for its answer, and is not to stop all others; the
 * answer to `/v2/` takes no registry any time.
 */
export function isDeath({ stage, why }: Breakdown, path: string): boolean {
  return stage === 'connect' || (stage === 'headers' && why === 'timeout' && path.endsWith('/v2/'));
}

/** Deadlines of our own, and the client's leaving. */
class Patience {
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal;
  #timer: Timer | undefined;

  constructor(outer: AbortSignal, clock: Clock) {
    this.#clock = clock;
    this.#outer = outer;
    outer.addEventListener('abort', () => this.giveUp(outer.reason), { once: true });
    if (outer.aborted) this.giveUp(outer.reason);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  wait(ms: number, what: string): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => this.giveUp(new TimeoutError(`${what} within ${ms} ms`)));
  }

  rest(): void {
    this.#timer?.cancel();
  }

  giveUp(reason: unknown): void {
    this.rest();
    this.#abort.abort(reason);
  }

  /** What came of it, as an error to be thrown. */
  explain(error: unknown, stage: Breakdown['stage'], cause: Error | undefined): unknown {
    this.rest();
    if (this.#outer.aborted) return this.#outer.reason;
    if (cause !== undefined && cause.name !== 'AbortError') return cause;
    const reason: unknown = this.#abort.signal.aborted ? this.#abort.signal.reason : error;
    return new RelayBroken(describeError(asError(reason), stage));
  }
}

class TimeoutError extends Error {
  readonly code = 'ETIMEDOUT';
}

function pairsOf(raw: unknown): readonly (readonly [name: string, value: string])[] {
  const flat = raw as readonly string[];
  return Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? '', flat[2 * index + 1] ?? '']);
}
