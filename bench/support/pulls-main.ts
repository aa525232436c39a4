import { Agent, get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerWith } from './helper.ts';
import { percentile } from './statistics.ts';

export interface Pulling {
  readonly origin: string;
  /** What each client asks for, one after the other, beginning somewhere else each. */
  readonly paths: readonly string[];
  readonly clients: number;
  /** Between two requests of a client: this is about how long one takes, not about how many there can be. */
  readonly pauseMs: number;
}

/** In milliseconds. */
export interface Pulled {
  readonly count: number;
  readonly failures: number;
  readonly median: number;
  readonly p99: number;
  readonly slowest: number;
}

let running: Pulls | undefined;

const operations = {
  begin(pulling: Pulling): void {
    running = new Pulls(pulling);
  },

  /** Of what was pulled since it began. */
  async end(): Promise<Pulled> {
    if (running === undefined) throw new Error('nobody pulls');
    return running.end();
  },
};

export type PullOperations = typeof operations;

answerWith(operations);

class Pulls {
  readonly #pulling: Pulling;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #times: number[] = [];
  readonly #clients: Promise<unknown>;
  #failures = 0;
  #over = false;

  constructor(pulling: Pulling) {
    this.#pulling = pulling;
    this.#clients = Promise.all(Array.from({ length: pulling.clients }, (_, nth) => this.#client(nth)));
  }

  async end(): Promise<Pulled> {
    this.#over = true;
    await this.#clients;
    this.#agent.destroy();
    const times = this.#times;
    const of = (share: number): number => percentile(times, share);
    return { count: times.length, failures: this.#failures, median: of(0.5), p99: of(0.99), slowest: of(1) };
  }

  async #client(nth: number): Promise<void> {
    const { origin, paths, clients, pauseMs } = this.#pulling;
    for (let at = Math.floor((nth * paths.length) / clients); !this.#over; at += 1) {
      const startedAt = performance.now();
      if (!(await this.#pull(`${origin}${paths[at % paths.length]}`))) this.#failures += 1;
      this.#times.push(performance.now() - startedAt);
      await sleep(pauseMs);
    }
  }

  async #pull(url: string): Promise<boolean> {
    try {
      const [answer] = (await once(get(url, { agent: this.#agent }), 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      return answer.statusCode === 200;
    } catch {
      return false;
    }
  }
}
