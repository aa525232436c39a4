import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendBlob } from '../bytes/send.ts';
import type { BufferPool } from '../bytes/buffer-pool.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import {
  allHeadersOf,
  answerTo,
  clientClosedStatus,
  isBodyless,
  malformed,
  mishapReply,
  noteFailure,
  tell,
  unacceptable,
} from './answering.ts';
import { BodyOut } from './body-out.ts';
import { ClientGone } from './client-gone.ts';
import type { CurrentExchange } from './connection.ts';
import type { Departures } from './departures.ts';
import type { TrustedProxies } from './forwarded.ts';
import type { Interception } from './interception.ts';
import type { BlobReplyBody, Handler, Lobby, Reply } from './message.ts';
import type { ListenerLimits } from './limits.ts';
import { IncomingRequest, malformation } from './request.ts';
import type { Peer } from './request.ts';
import { IncomingBody } from './request-body.ts';
import type { IsOwnName } from './via.ts';

/** What all exchanges of a listener share. */
export interface ExchangeContext {
  readonly handler: Handler;
  /** Answers what is for everybody, whatever a peer is refused for. */
  readonly lobby: Lobby;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly departures: Departures;
  readonly proxies: TrustedProxies;
  /** What requests of our own say that they came by. */
  readonly mark: string | undefined;
  /** Where clients may use this server as their proxy. */
  readonly interception: Interception | undefined;
  readonly isOwnName: IsOwnName;
  /** Name, value, name, value: sent with every answer. */
  readonly fixedHeaders: readonly string[];
  readonly limits: ListenerLimits;
  nextId(): string;
  /** True when the listener is about to close: answers say so. */
  isDraining(): boolean;
}

/** Headers wait so long for the first byte: until then a failure can still become an honest status. In milliseconds. */
const headersHeldMsMax = 1_000;
/** Requests whose handlers read their bodies; those of others are thrown away as they come. */
const mayBring: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** A body that is no longer goes out as text, in one piece with its headers: Node gathers bytes and text at twice the cost. */
export const oneWriteBytesMax = 12 * 1024;

/** One request and its answer, and the one log line that both leave behind. */
export class Exchange implements CurrentExchange {
  readonly #context: ExchangeContext;
  readonly #outgoing: ServerResponse;
  readonly #incoming: IncomingMessage;
  readonly #peer: Peer;
  readonly #startedMs: number;
  readonly #request: IncomingRequest;
  readonly #body: IncomingBody;
  #bytes = 0;
  #firstByteMs: number | undefined;
  #cut = false;
  #finished = false;
  readonly #gone = new ClientGone();
  #cancel: (() => void) | undefined;

  constructor(context: ExchangeContext, peer: Peer, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#context = context;
    this.#peer = peer;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#startedMs = context.clock.monotonic();
    this.#body = new IncomingBody(incoming, context, () => {
      if (incoming.headers.expect !== undefined) outgoing.writeContinue();
    });
    const gone = (): AbortSignal => this.#gone.signal;
    this.#request = new IncomingRequest(context.nextId(), { head: incoming, body: this.#body, gone }, peer, context);
  }

  /** True while bytes of ours wait for the client, so that a silent connection is the client's fault. */
  get isSending(): boolean {
    return this.#outgoing.headersSent && this.#outgoing.writableLength > 0;
  }

  /** True while we wait for bytes of the client, so that a silent connection is the client's fault. */
  get isReceiving(): boolean {
    return this.#body.isAwaited;
  }

  /** Nothing more of the request will come. */
  breakOff(): void {
    this.#body.breakOff();
  }

  /** Settles when there is nothing more to do; never rejects. */
  async run(): Promise<void> {
    try {
      if (!this.#mayBringBody) this.#body.skip();
      const refusal = this.#unacceptable();
      // Where one request is malformed, nobody can tell where the next one begins.
      if (refusal !== undefined) this.#outgoing.shouldKeepAlive = false;
      const reply = refusal ?? this.#context.lobby(this.#request) ?? (await this.#answer());
      if (reply.status >= 400 && refusal === undefined && this.#mayBringBody) await this.#body.shortRest();
      await this.#send(reply);
    } catch (error) {
      this.#fail(error);
    }
  }

  #answer(): Reply | Promise<Reply> {
    return answerTo(this.#context, this.#peer, this.#request);
  }

  #unacceptable(): Reply | undefined {
    const { notes } = this.#request;
    const why = malformation(this.#incoming);
    if (why !== undefined) return malformed(notes, why);
    return unacceptable(this.#context, this.#peer, this.#incoming, notes);
  }

  /** The response is complete, or its connection gone. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const complete = this.#outgoing.writableFinished && !this.#cut;
    if (!complete) this.#gone.tell();
    this.#cancel?.();
    const ms = this.#context.clock.monotonic() - this.#startedMs;
    tell(this.#context, this.#incoming, this.#request, {
      status: this.#outgoing.headersSent ? this.#outgoing.statusCode : clientClosedStatus,
      bytes: this.#bytes,
      firstByteMs: this.#firstByteMs ?? ms,
      ms,
      complete,
    });
  }

  async #send(reply: Reply): Promise<void> {
    const { body } = reply;
    if (isBodyless(this.#request.method, reply.status) || this.#isOver) {
      if (body.kind === 'blob') await body.source[Symbol.asyncDispose]();
      if (body.kind === 'stream') body.cancel?.();
      if (this.#isOver) return;
      this.#head(reply);
      return await this.#end(undefined);
    }
    if (body.kind === 'blob') return await this.#sendBlob(reply, body);
    if (body.kind === 'stream') {
      this.#cancel = body.cancel;
      return await this.#sendStream(reply, body.chunks);
    }
    this.#head(reply);
    if (body.kind === 'bytes') this.#bytes = body.bytes.length;
    await this.#end(body.kind === 'bytes' ? body.bytes : undefined);
  }

  async #end(bytes: Uint8Array | undefined): Promise<void> {
    const lingers = this.#leavesBody;
    const rest = this.#mayBringBody ? this.#body.rest() : undefined;
    if (!lingers) {
      if (bytes === undefined || bytes.length > oneWriteBytesMax) this.#outgoing.end(bytes);
      else this.#outgoing.end(Buffer.prototype.latin1Slice.call(bytes), 'latin1');
      return;
    }
    if (bytes === undefined) this.#outgoing.flushHeaders();
    else this.#outgoing.write(bytes);
    await rest;
    this.#outgoing.end();
  }

  /** The client goes on sending what nobody will read. */
  get #leavesBody(): boolean {
    return this.#mayBringBody && this.#body.isLong;
  }

  get #mayBringBody(): boolean {
    return mayBring.has(this.#request.method);
  }

  get #isOver(): boolean {
    return this.#finished || this.#outgoing.destroyed;
  }

  async #sendStream(reply: Reply, chunks: AsyncIterable<string | Uint8Array>): Promise<void> {
    const outgoing = this.#outgoing;
    this.#head(reply);
    outgoing.flushHeaders();
    for await (const chunk of chunks) {
      if (this.#isOver) return;
      this.#bytes += Buffer.byteLength(chunk);
      if (!outgoing.write(chunk)) await drained(outgoing);
    }
    outgoing.end();
  }

  async #sendBlob(reply: Reply, body: BlobReplyBody): Promise<void> {
    const outgoing = this.#outgoing;
    const begin = (): void => {
      if (!outgoing.headersSent) this.#head(reply);
    };
    const held = this.#context.clock.setTimer(headersHeldMsMax, () => {
      if (outgoing.headersSent || outgoing.destroyed) return;
      begin();
      outgoing.flushHeaders();
    });
    const sent = (bytes: number): void => void (this.#bytes += bytes);
    const sink = new BodyOut(outgoing, this.#request.gone, { begin, sent });
    try {
      await sendBlob(body, sink, this.#context.pool, this.#context.clock);
    } catch (error) {
      if (outgoing.headersSent || this.#isOver) throw error;
      return await this.#send(body.refuse(error));
    } finally {
      held.cancel();
    }
    begin();
    outgoing.end();
  }

  #head(reply: Reply): void {
    if (this.#context.isDraining() || this.#leavesBody) this.#outgoing.shouldKeepAlive = false;
    this.#outgoing.writeHead(reply.status, allHeadersOf(this.#context, this.#request, reply));
    this.#firstByteMs = this.#context.clock.monotonic() - this.#startedMs;
  }

  /** Too late for another status means: cut the connection, so that nobody takes what was sent for the whole. */
  #fail(error: unknown): void {
    if (!this.#finished) noteFailure(this.#request.notes, error);
    if (this.#outgoing.headersSent || this.#isOver) {
      this.#cut = true;
      this.#outgoing.destroy();
      this.#incoming.socket.destroy();
      return;
    }
    const reply = mishapReply(this.#request.id);
    this.#head(reply);
    this.#outgoing.end(this.#request.method === 'HEAD' || reply.body.kind !== 'bytes' ? undefined : reply.body.bytes);
  }
}

/** Resolves when more may be written, or the connection is gone. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      outgoing.removeListener('drain', go).removeListener('close', go);
      resolve();
    };
    outgoing.once('drain', go).once('close', go);
  });
}
