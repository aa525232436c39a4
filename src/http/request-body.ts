import type { IncomingMessage } from 'node:http';
import { letGo } from '../bytes/let-go.ts';
import { sweepAfter } from '../bytes/sweep.ts';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Filled } from '../oci/upload.ts';
import type { ListenerLimits } from './limits.ts';
import type { RequestBody } from './message.ts';

export interface BodyContext {
  readonly clock: Clock;
  readonly limits: Pick<ListenerLimits, 'requestBodyBytesMax' | 'requestMsMax'>;
}

/** A rest that is waited for before its sender is refused: more than a manifest's or a config's would cost us. In bytes. */
const shortRestBytesMax = 64 * 1024;
/** How long it is waited for, in milliseconds: somebody who is only slow learns it a little later. */
const shortRestMsMax = 1_000;
/** How long a client whose body nobody wants may take to read why, in milliseconds. */
const lingerMs = 2_000;

/**
 * A body that is taken from the socket only as its reader asks for it; so a slow disk slows its client, and nothing piles
 * up here. Silence is the listener's to end, which closes the connection.
 */
export class IncomingBody implements RequestBody {
  readonly length: number | undefined;
  readonly #incoming: IncomingMessage;
  readonly #context: BodyContext;
  /** Asks a client that waits for it to go on (RFC 9110, 10.1.1). */
  readonly #goOn: () => void;
  #reading = false;
  /** Who is given what comes; says whether it wants more at once. */
  #taker: Taker | undefined;
  #wake: (() => void) | undefined;
  /** What was more than wanted. */
  #rest: Buffer | undefined;
  #failure: RegistryError | undefined;
  #received = 0;

  constructor(incoming: IncomingMessage, context: BodyContext, goOn: () => void) {
    this.#incoming = incoming;
    this.#context = context;
    this.#goOn = goOn;
    this.length = announced(incoming);
  }

  /** The client is waited for: when nothing comes, that is its fault. */
  get isAwaited(): boolean {
    return this.#wake !== undefined;
  }

  /** More is to come than would be let pass for the connection's sake. */
  get isLong(): boolean {
    if (this.#isComplete) return false;
    return this.length === undefined || this.length - this.#received > this.#context.limits.requestBodyBytesMax;
  }

  async fill<B extends Uint8Array>(lend: () => B): Promise<Filled<B> | undefined> {
    let buffer: B | undefined;
    let bytes = 0;
    await this.#take((chunk) => {
      buffer ??= lend();
      const count = Math.min(chunk.length, buffer.length - bytes);
      // Not `set`: into shared memory, that copies word by word.
      chunk.copy(buffer, bytes, 0, count);
      bytes += count;
      if (count < chunk.length) this.#rest = chunk.subarray(count);
      else letGo(chunk);
      return bytes < buffer.length;
    });
    if (buffer !== undefined) return { buffer, bytes };
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  async read(): Promise<Uint8Array | undefined> {
    let piece: Uint8Array | undefined;
    await this.#take((chunk) => {
      sweepAfter(chunk.length);
      piece = chunk;
      return false;
    });
    if (piece === undefined && this.#failure !== undefined) throw this.#failure;
    return piece;
  }

  async whole(bytesMax: number): Promise<Uint8Array | undefined> {
    if ((this.length ?? 0) > bytesMax) return undefined;
    const { clock, limits } = this.#context;
    const overdue = clock.setTimer(limits.requestMsMax, () => this.#fail('it took too long to arrive'));
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    try {
      await this.#take((chunk) => {
        sweepAfter(chunk.length);
        bytes += chunk.length;
        pieces.push(chunk);
        return bytes <= bytesMax;
      });
    } finally {
      overdue.cancel();
    }
    if (this.#failure !== undefined) throw this.#failure;
    return bytes > bytesMax ? undefined : Buffer.concat(pieces, bytes);
  }

  /** What has not come by now never will. */
  breakOff(): void {
    if (!this.#isComplete) this.#fail('the client broke off');
  }

  /** Nobody reads it. A small one is let pass, so that the connection lives on; more than that ends it. */
  skip(): void {
    if (this.#isComplete) return;
    const { clock, limits } = this.#context;
    const { socket } = this.#incoming;
    const overdue = clock.setTimer(limits.requestMsMax, () => socket.destroy());
    this.#incoming.once('close', () => overdue.cancel());
    this.#drop((bytes) => {
      if (bytes > limits.requestBodyBytesMax) socket.destroy();
    });
  }

  /**
   * Lets a short rest come before the refusal of it goes out. Some clients read no answer before they have written
   * everything: what they see of an early one is that their connection or their pipe ends (containerd 1.6).
   */
  async shortRest(): Promise<void> {
    if (this.#isComplete || this.#isHeldBack) return;
    if (this.length !== undefined && this.length - this.#received > shortRestBytesMax) return;
    await this.#dropFor(shortRestMsMax, shortRestBytesMax);
  }

  /**
   * Throws away what nobody has read while the answer goes out, because closing the connection on it would take the
   * answer back (RFC 9112, 9.6). Resolves when the connection may be closed.
   */
  async rest(): Promise<void> {
    if (this.#isComplete) return;
    await this.#dropFor(lingerMs, Number.POSITIVE_INFINITY);
  }

  /** Resolves when nothing more comes, or that is enough. */
  async #dropFor(ms: number, bytesMax: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const patience = this.#context.clock.setTimer(ms, resolve);
    this.#wake = resolve;
    this.#incoming.once('close', resolve).once('end', resolve);
    this.#drop((bytes) => {
      if (bytes > bytesMax) resolve();
    });
    await promise;
    this.#wake = undefined;
    patience.cancel();
  }

  #drop(onBytes: (bytes: number) => void): void {
    let bytes = 0;
    if (!this.#reading) this.#incoming.on('error', () => {});
    this.#incoming.removeAllListeners('data');
    this.#incoming.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      onBytes((bytes += chunk.length));
    });
    this.#incoming.resume();
  }

  /** The client sends nothing before it is asked to (RFC 9110, 10.1.1), and nobody has. */
  get #isHeldBack(): boolean {
    return this.#incoming.headers.expect !== undefined && !this.#reading;
  }

  get #isComplete(): boolean {
    return this.length === 0 || this.#incoming.complete || this.#incoming.destroyed;
  }

  /** Resolves when the taker has enough, or nothing more comes. */
  async #take(taker: Taker): Promise<void> {
    if (this.length === 0) return;
    this.#begin();
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined && !taker(rest)) return;
    if (this.#failure !== undefined || this.#incoming.readableEnded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    [this.#taker, this.#wake] = [taker, resolve];
    this.#incoming.resume();
    await promise;
  }

  #begin(): void {
    if (this.#reading) return;
    this.#reading = true;
    const incoming = this.#incoming;
    incoming.pause();
    incoming.on('data', (chunk: Buffer) => this.#onData(chunk));
    incoming.on('end', () => this.#stop());
    incoming.on('error', () => this.#fail('the client broke off'));
    incoming.on('close', () => {
      if (!incoming.readableEnded) this.#fail('the client broke off');
    });
    if (incoming.destroyed && !incoming.readableEnded) this.#fail('the client broke off');
    this.#goOn();
  }

  #onData(chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#taker?.(chunk) === true) return;
    this.#incoming.pause();
    this.#stop();
  }

  #stop(): void {
    this.#taker = undefined;
    this.#wake?.();
    this.#wake = undefined;
  }

  #fail(why: string): void {
    this.#failure ??= new RegistryError('REQUEST_INVALID', `the request has no complete body: ${why}`);
    this.#stop();
  }
}

type Taker = (chunk: Buffer) => boolean;

/** In bytes; `undefined` when the body says itself where it ends. */
function announced({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  return Number(headers['content-length'] ?? 0);
}

/** Of a request without one. */
export const noBody: RequestBody = {
  length: 0,
  fill: async () => undefined,
  read: async () => undefined,
  whole: async () => new Uint8Array(),
};
