import { setTimeout as sleep } from 'node:timers/promises';
import { readBody } from './reader.ts';
import type { Reading, ReadOptions } from './reader.ts';
import type { SessionKeeper } from './tunnel-end.ts';
import { answerWith } from './helper.ts';

export interface Crowd {
  readonly url: string;
  readonly clients: number;
  readonly ca?: string | undefined;
  readonly proxyPort?: number | undefined;
}

/** Times in milliseconds since the first of the crowd started. */
export interface Arrival {
  readonly status: number;
  readonly bytes: number;
  readonly complete: boolean;
  readonly firstByteMs: number;
  readonly endMs: number;
}

export interface Visitor extends Omit<ReadOptions, 'signal'> {
  /** What it reads one after the other, and then again from the first. */
  readonly urls: readonly string[];
}

export interface Tunnelling extends Pick<ReadOptions, 'ca' | 'authorization'> {
  readonly urls: readonly string[];
  readonly proxyPort: number;
  /** Whether handshakes go on from earlier ones. */
  readonly resumes?: boolean;
}

export interface Flow {
  readonly bytes: number;
  readonly ms: number;
  /** Bodies that came whole. */
  readonly finished: number;
  /** Bodies that did not, and answers that were not 200; those ended by the time-out are neither. One line each. */
  readonly failures: readonly string[];
}

const operations = {
  /** Every client reads the body once; they start evenly within `withinMs`. */
  async once({
    url,
    clients,
    ca,
    proxyPort,
    withinMs = 0,
  }: Crowd & { readonly withinMs?: number }): Promise<Arrival[]> {
    const tunnel = proxyPort === undefined ? undefined : { proxyPort };
    const startedAt = performance.now();
    const readings = Array.from({ length: clients }, async (_, position) => {
      if (withinMs > 0) await sleep((withinMs * position) / clients);
      return readBody(url, { ca, tunnel });
    });
    return (await Promise.all(readings)).map((reading) => arrival(reading, startedAt));
  },

  /** One client reads the body this many times. */
  async again({ url, ca, times }: Omit<Crowd, 'clients'> & { readonly times: number }): Promise<Flow> {
    const tally = new Tally();
    for (let time = 0; time < times; time++) tally.add(await readBody(url, { ca }, tally.count));
    return tally.flow();
  },

  /** One client reads one after the other, each through a tunnel of its own. */
  async throughTunnels({ urls, resumes = false, ca, proxyPort, authorization }: Tunnelling): Promise<Flow> {
    const sessions: SessionKeeper | undefined = resumes ? { kept: undefined, resumed: 0 } : undefined;
    const tally = new Tally();
    for (const url of urls) {
      tally.add(await readBody(url, { ca, tunnel: { proxyPort, sessions }, authorization }, tally.count));
    }
    // The first of them has nothing to resume.
    if (sessions !== undefined && sessions.resumed < urls.length - 1) {
      throw new Error(`of ${urls.length} handshakes only ${sessions.resumed} went on from an earlier one`);
    }
    return tally.flow();
  },

  /** All visitors read, each at its pace, until the time is up. */
  async meanwhile({ visitors, ms }: { readonly visitors: readonly Visitor[]; readonly ms: number }): Promise<Flow> {
    const signal = AbortSignal.timeout(ms);
    const tally = new Tally();
    await Promise.all(
      visitors.map(async ({ urls, ...options }) => {
        for (let position = 0; !signal.aborted; position++) {
          const url = urls[position % urls.length] ?? '';
          tally.add(await readBody(url, { ...options, signal }, tally.count), signal.aborted);
        }
      }),
    );
    return tally.flow();
  },
};

export type ReaderOperations = typeof operations;

answerWith(operations);

class Tally {
  readonly #startedAt = performance.now();
  #bytes = 0;
  #finished = 0;
  readonly #failures: string[] = [];

  readonly count = (bytes: number): void => {
    this.#bytes += bytes;
  };

  add({ complete, status, bytes }: Reading, leaving = false): void {
    if (complete && status === 200) this.#finished++;
    else if (!leaving) this.#failures.push(`status ${status}, ${bytes} bytes, ${complete ? 'complete' : 'broken off'}`);
  }

  flow(): Flow {
    const ms = performance.now() - this.#startedAt;
    return { bytes: this.#bytes, ms, finished: this.#finished, failures: this.#failures };
  }
}

function arrival({ status, bytes, complete, firstByteAt, endedAt }: Reading, startedAt: number): Arrival {
  return { status, bytes, complete, firstByteMs: (firstByteAt ?? NaN) - startedAt, endMs: endedAt - startedAt };
}
