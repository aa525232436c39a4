/**
 * Listeners for a test file: every one of them is closed after the test that opened it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BufferPool } from '../../src/bytes/buffer-pool.ts';
import { createListener } from '../../src/http/listener.ts';
import type { Listener, ListenerOptions } from '../../src/http/listener.ts';
import type { Handler, Reply } from '../../src/http/message.ts';
import { systemClock } from '../../src/observe/clock.ts';
import type { RequestDone } from '../../src/observe/events.ts';

export interface Served {
  readonly port: number;
  readonly listener: Listener;
  /** The access log. */
  readonly logged: readonly RequestDone[];
  /** The access log once it has so many lines. */
  readonly logOf: (count: number) => Promise<readonly RequestDone[]>;
}

export class HttpServers {
  readonly #open: Listener[] = [];

  async serve(handler: Handler, options: Partial<ListenerOptions> = {}): Promise<Served> {
    const logged: RequestDone[] = [];
    const observer = { emit: (event: { readonly type: string }) => void logged.push(event as RequestDone) };
    const listener = createListener({ handler, observer, clock: systemClock, pool: new BufferPool(), ...options });
    this.#open.push(listener);
    const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
    const logOf = async (count: number): Promise<readonly RequestDone[]> => {
      while (logged.length < count) await nextTurn();
      return logged;
    };
    return { port, listener, logged, logOf };
  }

  async close(): Promise<void> {
    for (const listener of this.#open.splice(0)) await listener.close(0);
  }
}

export function textReply(body: string, headers: Readonly<Record<string, string>> = {}): Reply {
  const bytes = Buffer.from(body);
  return {
    status: 200,
    headers: { 'Content-Length': String(bytes.length), ...headers },
    body: { kind: 'bytes', bytes },
  };
}

/** Says what it was asked for. */
export const hello: Handler = async (request) => textReply(`hello ${request.method} ${request.url}`);

/** A GET, byte for byte. */
export function get(path: string, extra = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: cache\r\n${extra}\r\n`;
}

export const close = 'Connection: close\r\n';
