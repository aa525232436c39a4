/**
 * Somebody who wants to hear of what happens in a registry, and may be slow, rude or away.
 */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { HeldPort } from './ports.ts';
import { Waiters } from './waiters.ts';

export interface HeardEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: string;
  readonly target: HeardTarget;
  readonly request: Readonly<Record<string, string>>;
  readonly actor: Readonly<Record<string, string>>;
  readonly source: Readonly<Record<string, string>>;
}

export interface HeardTarget {
  readonly mediaType?: string;
  readonly size?: number;
  readonly digest?: string;
  readonly length?: number;
  readonly repository?: string;
  readonly fromRepository?: string;
  readonly url?: string;
  readonly tag?: string;
  readonly references?: readonly { readonly digest: string; readonly platform?: object }[];
}

export interface HeardRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly events: readonly HeardEvent[];
}

export class EventEndpoint implements AsyncDisposable {
  /** Everything that came, taken or not. */
  readonly requests: HeardRequest[] = [];
  /** What it answers next; `hang` is nothing at all. */
  answer: number | 'hang' = 200;
  readonly #waiters = new Waiters();
  readonly #taken: HeardEvent[] = [];
  readonly #held: HeldPort;
  #server: Server | undefined;

  private constructor(held: HeldPort) {
    this.#held = held;
  }

  static async start(): Promise<EventEndpoint> {
    const endpoint = new EventEndpoint(await HeldPort.take());
    await endpoint.open();
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#held.port}/events`;
  }

  /** What it has said yes to. */
  get taken(): readonly HeardEvent[] {
    return this.#taken;
  }

  /** Resolves when it has taken so many. */
  async heard(count: number): Promise<readonly HeardEvent[]> {
    await this.#waiters.until(() => this.#taken.length >= count);
    return this.#taken;
  }

  async asked(count: number): Promise<void> {
    await this.#waiters.until(() => this.requests.length >= count);
  }

  /** Listens, where it did before. */
  async open(): Promise<void> {
    const server = createServer((incoming, outgoing) => {
      void textOf(incoming).then((body) => {
        const { events } = JSON.parse(body) as { events: readonly HeardEvent[] };
        this.requests.push({ path: incoming.url ?? '', headers: incoming.headers, body, events });
        if (this.answer !== 'hang') {
          if (this.answer < 400) this.#taken.push(...events);
          outgoing.writeHead(this.answer).end('ok');
        }
        this.#waiters.look();
      });
    });
    await new Promise<void>((resolve) => server.listen(this.#held.port, '127.0.0.1', resolve));
    this.#server = server;
  }

  /** Nobody is there any more. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    this.#held[Symbol.dispose]();
  }
}
