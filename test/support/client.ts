/**
 * A client that does what a test tells it: whole answers, bodies read by the piece, bodies hashed and thrown away.
 * It follows no redirect, retries nothing, and decompresses nothing.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';

export interface RequestOptions {
  /** Default GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** PEM of the authority to trust. */
  readonly ca?: string;
  /** Connections to use again; default: a connection for each request, as dockerd has it. */
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
  /** Called with each interim (1xx) status. */
  readonly onInterim?: (status: number) => void;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** What became of a body that was read to its end and not kept. */
export interface Drained {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
  /** Of the bytes that came, whether or not all did. */
  readonly digest: string;
  /** Whether the body came to its proper end. */
  readonly complete: boolean;
  /** From the request's start, in milliseconds. */
  readonly headersMs: number;
  readonly firstByteMs: number | undefined;
  readonly totalMs: number;
}

/** Asks and reads the whole answer. Rejects if the body breaks off. */
export async function get(url: string, options: RequestOptions = {}): Promise<Answer> {
  const reading = await open(url, options);
  const { status, headers, rawHeaders } = reading;
  return { status, headers, rawHeaders, body: await reading.rest() };
}

export function head(url: string, options: RequestOptions = {}): Promise<Answer> {
  return get(url, { ...options, method: 'HEAD' });
}

/** Asks, and leaves the body in the socket until it is read: not reading is how a client is slow. */
export async function open(url: string, options: RequestOptions = {}): Promise<Reading> {
  const { method = 'GET', headers, body, ca, agent, signal, onInterim } = options;
  const startedAt = performance.now();
  const start = url.startsWith('https:') ? httpsRequest : httpRequest;
  const asked = start(url, { method, headers, agent: agent ?? false, ca, signal });
  asked.on('information', ({ statusCode }) => onInterim?.(statusCode));
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  // After the headers a broken connection is told to the reader of the body, but emitted here as well.
  asked.on('error', () => undefined);
  return new Reading(response, startedAt);
}

/** Reads to the end, hashing, without keeping anything. A body that breaks off is `complete: false`, not an exception. */
export async function drain(url: string, options: RequestOptions = {}): Promise<Drained> {
  const reading = await open(url, options);
  return reading.drain();
}

/** Runs this many clients at once. */
export function together<T>(count: number, client: (position: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, position) => client(position)));
}

/** Connections that are kept open between requests, as containerd does: `using agent = keepAlive('http:');` */
export function keepAlive(protocol: 'http:' | 'https:' = 'http:'): Agent & Disposable {
  const agent = protocol === 'http:' ? new Agent({ keepAlive: true }) : new TlsAgent({ keepAlive: true });
  return Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() });
}

/** An answer whose body is still to be read. */
export class Reading implements Disposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** From the request's start, in milliseconds. */
  readonly headersMs: number;
  readonly #startedAt: number;
  readonly #response: IncomingMessage;
  #failure: Error | undefined;

  constructor(response: IncomingMessage, startedAt: number) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.rawHeaders = response.rawHeaders;
    this.#startedAt = startedAt;
    this.headersMs = performance.now() - startedAt;
    this.#response = response;
    // A body that breaks off while nobody reads is reported by the next read.
    response.on('error', (error) => (this.#failure = error));
  }

  /** The next `count` bytes; fewer only at the end. Rejects if the body breaks off before. */
  async read(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = count; missing > 0;) {
      const piece = await this.#next(missing);
      if (!piece) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  /** Everything that is left. Rejects if the body breaks off. */
  async rest(): Promise<Buffer> {
    if (this.#failure) throw this.#failure;
    return buffer(this.#response);
  }

  /** See `drain`. Counts from here if something was read before. */
  async drain(): Promise<Drained> {
    const hash = createHash('sha256');
    let bytes = 0;
    let firstByteMs: number | undefined;
    try {
      for await (const chunk of this.#response as AsyncIterable<Buffer>) {
        firstByteMs ??= performance.now() - this.#startedAt;
        bytes += chunk.length;
        hash.update(chunk);
      }
    } catch (error) {
      this.#failure = error as Error;
    }
    const { status, headers, headersMs } = this;
    const totalMs = performance.now() - this.#startedAt;
    const complete = this.#response.complete && this.#failure === undefined;
    return {
      status,
      headers,
      bytes,
      digest: `sha256:${hash.digest('hex')}`,
      complete,
      headersMs,
      firstByteMs,
      totalMs,
    };
  }

  /** Leaves in the middle, as a client does that was killed. */
  abort(): void {
    this.#response.destroy();
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  async #next(most: number): Promise<Buffer | undefined> {
    for (;;) {
      const available = Math.min(most, this.#response.readableLength);
      const piece = this.#response.read(Math.max(1, available)) as Buffer | null;
      if (piece) return piece;
      if (this.#failure) throw this.#failure;
      if (this.#response.readableEnded) return undefined;
      await this.#changed();
    }
  }

  #changed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const events = ['readable', 'end', 'error', 'close'];
    const wake = (): void => {
      for (const event of events) this.#response.off(event, wake);
      resolve();
    };
    for (const event of events) this.#response.on(event, wake);
    return promise;
  }
}
