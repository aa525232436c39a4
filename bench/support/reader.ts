/**
 * The cheapest client that Node can be: raw sockets, one buffer for all of them, bytes counted and thrown away. Every
 * request has a connection of its own, as dockerd has it.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { openTunnel } from './tunnel-end.ts';
import type { TunnelOptions } from './tunnel-end.ts';

export interface ReadOptions {
  /** PEM of the authority to trust. */
  readonly ca?: string | undefined;
  /** The way there. Default: straight to the server. */
  readonly tunnel?: TunnelOptions | undefined;
  readonly authorization?: string | undefined;
  /** The pace of a slow client. Default: as fast as it comes. */
  readonly bytesPerSecond?: number | undefined;
  /** Ends the reading early. */
  readonly signal?: AbortSignal | undefined;
}

export interface Reading {
  readonly status: number;
  /** Of the body. */
  readonly bytes: number;
  /** Whether the body came to the end that Content-Length promised. */
  readonly complete: boolean;
  /** When the first byte of the body and the last one came, on the clock of this process. */
  readonly firstByteAt: number | undefined;
  readonly endedAt: number;
}

/**
 * A read fills this and hands it over before the next socket's turn, so all share it. Its size is what Go and curl read
 * at once.
 */
const SHARED = Buffer.allocUnsafe(64 * 1024);

/** @param count called with the number of bytes whenever some of the body came */
export async function readBody(
  target: string,
  options: ReadOptions,
  count: (bytes: number) => void = () => {},
): Promise<Reading> {
  const url = new URL(target);
  const body = new Body(options.bytesPerSecond, count);
  const socket = await open(url, options, body);
  const leave = (): void => void socket.destroy();
  options.signal?.addEventListener('abort', leave, { once: true });
  socket.on('error', leave);
  const authorization = options.authorization === undefined ? '' : `Authorization: ${options.authorization}\r\n`;
  const headers = `Host: ${url.host}\r\nAccept: */*\r\n${authorization}`;
  socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\n${headers}\r\n`);
  await once(socket, 'close');
  options.signal?.removeEventListener('abort', leave);
  return body.reading();
}

async function open(url: URL, { ca, tunnel }: ReadOptions, body: Body): Promise<Socket> {
  if (tunnel !== undefined) {
    const secured = await openTunnel(url, ca ?? '', tunnel);
    return secured.on('data', (bytes: Buffer) => body.take(secured, bytes));
  }
  const { protocol, hostname, port } = url;
  const onread = {
    buffer: SHARED,
    callback: (length: number): boolean => body.take(socket, SHARED.subarray(0, length)),
  };
  const where = { host: hostname, port: Number(port), onread };
  const socket = protocol === 'https:' ? connectTls({ ...where, ca, servername: 'localhost' }) : connect(where);
  return socket;
}

class Body {
  readonly #bytesPerMs: number;
  readonly #count: (bytes: number) => void;
  #head = '';
  #status = 0;
  #length: number | undefined;
  #bytes = 0;
  #firstByteAt: number | undefined;
  #endedAt = NaN;

  constructor(bytesPerSecond: number | undefined, count: (bytes: number) => void) {
    this.#bytesPerMs = (bytesPerSecond ?? Infinity) / 1000;
    this.#count = count;
  }

  /** False stops the socket from reading on. */
  take(socket: Socket, chunk: Buffer): boolean {
    const bytes = this.#length === undefined ? this.#takeHead(chunk) : chunk.length;
    if (bytes === 0 && this.#bytes !== this.#length) return true;
    const now = performance.now();
    this.#firstByteAt ??= now;
    this.#bytes += bytes;
    this.#count(bytes);
    if (this.#bytes >= (this.#length ?? 0)) {
      this.#endedAt = now;
      socket.destroy();
      return false;
    }
    return this.#paced(socket, now - this.#firstByteAt);
  }

  reading(): Reading {
    const complete = this.#bytes === this.#length;
    const endedAt = complete ? this.#endedAt : performance.now();
    return { status: this.#status, bytes: this.#bytes, complete, firstByteAt: this.#firstByteAt, endedAt };
  }

  /** Returns how many bytes of the chunk belong to the body. */
  #takeHead(chunk: Buffer): number {
    const before = this.#head.length;
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return 0;
    this.#status = Number(this.#head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))?.[1];
    this.#length = Number(length ?? 0);
    return before + chunk.length - (end + 4);
  }

  #paced(socket: Socket, elapsedMs: number): boolean {
    const aheadMs = this.#bytes / this.#bytesPerMs - elapsedMs;
    if (aheadMs < PACE_GRAIN_MS) return true;
    setTimeout(() => socket.resume(), aheadMs);
    return false;
  }
}

const PACE_GRAIN_MS = 20;
