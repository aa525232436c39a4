import type { ServerResponse } from 'node:http';
import type { BodySink } from '../bytes/send.ts';

interface Telling {
  /** Writes the head of the answer, unless it has been written. */
  begin(): void;
  /** So many bytes of the body have left. */
  sent(bytes: number): void;
}

/**
 * The way out of a large body. The first piece takes the head of its answer along. Those after it are nothing but bytes, and
 * go to the socket themselves: Node's HTTP would have each of them wait in a queue, and be taken out again (docs/decisions/0039).
 */
export class BodyOut implements BodySink {
  readonly gone: AbortSignal;
  readonly #outgoing: ServerResponse;
  readonly #telling: Telling;
  /** The head has left, and a piece with it. */
  #begun = false;

  constructor(outgoing: ServerResponse, gone: AbortSignal, telling: Telling) {
    this.#outgoing = outgoing;
    this.gone = gone;
    this.#telling = telling;
  }

  write(bytes: Uint8Array | string, left: (error?: Error | null) => void): void {
    const outgoing = this.#outgoing;
    // Node would keep the bytes, and never call back.
    if (!outgoing.socket?.writable) return left(new Error('the connection is closed'));
    const done = (error?: Error | null): void => {
      if (!error) {
        this.#begun = true;
        this.#telling.sent(bytes.length);
      }
      left(error);
    };
    // What stands between parts is short, and leaves together with the part after it.
    if (this.#begun && typeof bytes !== 'string' && !outgoing.chunkedEncoding) {
      outgoing.socket.write(bytes, done);
      return;
    }
    this.#telling.begin();
    outgoing.write(bytes, done);
  }
}
