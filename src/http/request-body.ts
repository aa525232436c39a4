import type { IncomingMessage } from 'node:http';
import type { Clock } from '../observe/clock.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ListenerLimits } from './limits.ts';
import type { RequestBody } from './message.ts';

export interface BodyContext {
  readonly clock: Clock;
  readonly limits: Pick<ListenerLimits, 'requestBodyBytesMax' | 'requestMsMax'>;
}

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
  #wake: (() => void) | undefined;
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

  async read(): Promise<Uint8Array | undefined> {
    if (this.length === 0) return undefined;
    this.#begin();
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk = this.#incoming.read() as Buffer | null;
      if (chunk !== null) {
        this.#received += chunk.length;
        return chunk;
      }
      if (this.#incoming.readableEnded) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  async whole(bytesMax: number): Promise<Uint8Array | undefined> {
    if ((this.length ?? 0) > bytesMax) return undefined;
    const { clock, limits } = this.#context;
    const overdue = clock.setTimer(limits.requestMsMax, () => this.#fail('it took too long to arrive'));
    try {
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for (let piece = await this.read(); piece !== undefined; piece = await this.read()) {
        bytes += piece.length;
        if (bytes > bytesMax) return undefined;
        pieces.push(piece);
      }
      return Buffer.concat(pieces, bytes);
    } finally {
      overdue.cancel();
    }
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
   * Throws away what nobody has read while the answer goes out, because closing the connection on it would take the
   * answer back (RFC 9112, 9.6). Resolves when the connection may be closed.
   */
  async rest(): Promise<void> {
    if (this.#isComplete) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const patience = this.#context.clock.setTimer(lingerMs, resolve);
    this.#incoming.once('close', resolve).once('end', resolve);
    this.#drop(() => {});
    await promise;
    patience.cancel();
  }

  #drop(onBytes: (bytes: number) => void): void {
    let bytes = 0;
    if (!this.#reading) this.#incoming.on('error', () => {});
    this.#incoming.removeAllListeners('readable');
    this.#incoming.on('data', (chunk: Buffer) => onBytes((bytes += chunk.length)));
    this.#incoming.resume();
  }

  get #isComplete(): boolean {
    return this.length === 0 || this.#incoming.complete || this.#incoming.destroyed;
  }

  #begin(): void {
    if (this.#reading) return;
    this.#reading = true;
    const incoming = this.#incoming;
    const look = (): void => this.#wake?.();
    incoming.on('readable', look).on('end', look);
    incoming.on('error', () => this.#fail('the client broke off'));
    incoming.on('close', () => {
      if (!incoming.readableEnded) this.#fail('the client broke off');
    });
    if (incoming.destroyed && !incoming.readableEnded) this.#fail('the client broke off');
    this.#goOn();
  }

  #fail(why: string): void {
    this.#failure ??= new RegistryError('REQUEST_INVALID', `the request has no complete body: ${why}`);
    this.#wake?.();
  }
}

/** In bytes; `undefined` when the body says itself where it ends. */
function announced({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  return Number(headers['content-length'] ?? 0);
}

/** Of a request without one. */
export const noBody: RequestBody = {
  length: 0,
  read: async () => undefined,
  whole: async () => new Uint8Array(),
};
