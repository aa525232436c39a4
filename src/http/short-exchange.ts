import type { Socket } from 'node:net';
import {
  answerTo,
  clientClosedStatus,
  headersOf,
  isBodyless,
  mishapReply,
  noteFailure,
  tell,
  unacceptable,
} from './answering.ts';
import { ClientGone } from './client-gone.ts';
import type { CurrentExchange } from './connection.ts';
import { oneWriteBytesMax } from './exchange.ts';
import type { ExchangeContext } from './exchange.ts';
import type { Reply, ReplyBody } from './message.ts';
import { writeOut } from './prepared-headers.ts';
import { IncomingRequest } from './request.ts';
import type { Peer, RequestHead } from './request.ts';
import { noBody } from './request-body.ts';
import { beginningOf, endOf } from './short-head.ts';

/** One request that Node's HTTP has not seen, and its answer, which leaves in one piece. */
export class ShortExchange implements CurrentExchange {
  readonly #context: ExchangeContext;
  readonly #peer: Peer;
  readonly #socket: Socket;
  readonly #head: RequestHead;
  readonly #request: IncomingRequest;
  readonly #ended: (exchange: ShortExchange) => void;
  readonly #startedMs: number;
  #status: number | undefined;
  #bytes = 0;
  #firstByteMs: number | undefined;
  #complete = false;
  #finished = false;
  #last: boolean;
  readonly #gone = new ClientGone();

  /** @param ended called once the answer has left; not when the connection is gone before */
  constructor(
    context: ExchangeContext,
    { socket, peer }: { readonly socket: Socket; readonly peer: Peer },
    head: RequestHead,
    ended: (exchange: ShortExchange) => void,
  ) {
    this.#context = context;
    this.#peer = peer;
    this.#socket = socket;
    this.#head = head;
    this.#ended = ended;
    this.#startedMs = context.clock.monotonic();
    // dockerd asks for one thing on each of its connections.
    this.#last = head.headers['connection']?.toLowerCase() === 'close';
    const gone = (): AbortSignal => this.#gone.signal;
    this.#request = new IncomingRequest(context.nextId(), { head, body: noBody, gone }, peer, context);
  }

  get isSending(): boolean {
    return this.#status !== undefined;
  }

  get isReceiving(): boolean {
    return false;
  }

  /** The client was told that this is the last answer on its connection. */
  get isLast(): boolean {
    return this.#last;
  }

  breakOff(): void {}

  run(): void | Promise<void> {
    try {
      const refusal = unacceptable(this.#context, this.#peer, this.#head, this.#request.notes);
      if (refusal !== undefined) this.#last = true;
      const early = refusal ?? this.#context.lobby(this.#request);
      const reply = early ?? answerTo(this.#context, this.#peer, this.#request);
      if (reply instanceof Promise) return this.#sendWhenKnown(reply);
      this.#send(reply);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #sendWhenKnown(reply: Promise<Reply>): Promise<void> {
    try {
      this.#send(await reply);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#finished) noteFailure(this.#request.notes, error);
    this.#send(mishapReply(this.#request.id));
  }

  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    if (!this.#complete) this.#gone.tell();
    const ms = this.#context.clock.monotonic() - this.#startedMs;
    tell(this.#context, this.#head, this.#request, {
      status: this.#status ?? clientClosedStatus,
      bytes: this.#complete ? this.#bytes : 0,
      firstByteMs: this.#firstByteMs ?? ms,
      ms,
      complete: this.#complete,
    });
  }

  #send(reply: Reply): void {
    if (this.#finished || this.#socket.destroyed) return;
    const bytes = isBodyless(this.#request.method, reply.status) ? undefined : bytesOf(reply.body);
    if (this.#context.isDraining()) this.#last = true;
    const head = this.#headText(reply);
    this.#status = reply.status;
    this.#bytes = bytes?.length ?? 0;
    this.#firstByteMs = this.#context.clock.monotonic() - this.#startedMs;
    const left = (error?: Error | null): void => {
      this.#complete = !error;
      this.#ended(this);
    };
    if (bytes === undefined || bytes.length <= oneWriteBytesMax) {
      this.#context.departures.add({ socket: this.#socket, bytes: inOnePiece(head, bytes), left });
      return;
    }
    this.#socket.setTimeout(this.#context.limits.stallMsMax);
    this.#socket.cork();
    this.#socket.write(head, 'latin1');
    this.#socket.write(bytes, left);
    this.#socket.uncork();
  }

  /** @throws when a header has what HTTP cannot carry: it might be read as another header */
  #headText(reply: Reply): string {
    const { clock, limits } = this.#context;
    const fields = writeOut(headersOf(this.#context, reply)) + (reply.prepared?.text ?? '');
    const end = endOf(clock.now(), this.#last ? undefined : limits.keepAliveMs);
    return `${beginningOf(reply.status)}${this.#request.id}\r\n${fields}${end}`;
  }
}

/** Gathering head and body in the kernel costs more than copying a manifest. */
function inOnePiece(head: string, body: Uint8Array | undefined): Buffer {
  const whole = Buffer.allocUnsafe(head.length + (body?.length ?? 0));
  whole.write(head, 0, 'latin1');
  if (body !== undefined) whole.set(body, head.length);
  return whole;
}

function bytesOf(body: ReplyBody): Uint8Array | undefined {
  if (body.kind === 'none') return undefined;
  if (body.kind === 'bytes') return body.bytes;
  throw new Error(`an answer that was to be short is a ${body.kind}`);
}
