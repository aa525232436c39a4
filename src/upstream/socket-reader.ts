import type { Socket } from 'node:net';

/** Reads the first bytes of a connection before it is handed to somebody else; what is too much goes back. */
export class SocketReader {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  /** @throws when the connection ends before, or the signal's reason */
  async take(bytes: number): Promise<Buffer> {
    while (this.#buffer.length < bytes) await this.#more();
    return this.#cut(bytes);
  }

  /** Everything up to and with `mark`. */
  async takeThrough(mark: string, bytesMax: number): Promise<Buffer> {
    for (;;) {
      const at = this.#buffer.indexOf(mark);
      if (at >= 0) return this.#cut(at + mark.length);
      if (this.#buffer.length > bytesMax) throw new Error(`the proxy sent more than ${bytesMax} bytes of head`);
      await this.#more();
    }
  }

  /** Gives back what was read too much. */
  release(): void {
    if (this.#buffer.length > 0) this.#socket.unshift(this.#buffer);
  }

  #cut(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  #more(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket;
      const settle = (act: () => void): void => {
        socket.off('readable', readable).off('end', ended).off('close', ended).off('error', failed);
        this.#signal.removeEventListener('abort', aborted);
        act();
      };
      const readable = (): void => {
        const chunk: unknown = socket.read();
        if (!Buffer.isBuffer(chunk)) return;
        this.#buffer = Buffer.concat([this.#buffer, chunk]);
        settle(resolve);
      };
      const ended = (): void => settle(() => reject(new Error('the proxy closed the connection')));
      const failed = (error: Error): void => settle(() => reject(error));
      const aborted = (): void => settle(() => reject(this.#signal.reason));
      if (this.#signal.aborted) return reject(this.#signal.reason);
      socket.on('readable', readable).on('end', ended).on('close', ended).on('error', failed);
      this.#signal.addEventListener('abort', aborted, { once: true });
      readable();
    });
  }
}
