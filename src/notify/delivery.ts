import type { EndpointConfig } from '../config/config.ts';
import type { Index, Lease, WaitingNotice } from '../index/contract.ts';
import { noticesWaitingMax } from '../index/notices-contract.ts';
import type { Clock } from '../observe/clock.ts';
import type { Observer } from '../observe/events.ts';
import { messageOf } from '../oci/errors.ts';
import type { Services } from '../upstream/services.ts';
import { envelopeMediaType } from './event.ts';

export interface DeliveryContext {
  readonly index: Index;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly holder: string;
  readonly services: Services;
}

/** Whoever sends has the endpoint for so long, in milliseconds; another process takes over after that. */
const leaseMs = 60_000;
/** How often somebody looks whether another process has left something. */
const lookMs = 5_000;
const pageSize = 32;
/** So many that wait are worth a word. */
const pilingMin = 1_000;

/**
 * One endpoint's queue, sent in order, one at a time, each until it is taken; as registry does, but the queue is in the
 * index. Of all processes that share it one sends.
 */
export class Delivery implements AsyncDisposable {
  readonly #endpoint: EndpointConfig;
  readonly #context: DeliveryContext;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #woken = Promise.withResolvers<void>();
  #lease: Lease | undefined;
  #leasedAtMs = 0;
  #failures = 0;
  #level = 0;
  /** Ever, as far as it has been said; `undefined` until the queue was looked at. */
  #dropped: number | undefined;

  constructor(endpoint: EndpointConfig, context: DeliveryContext) {
    this.#endpoint = endpoint;
    this.#context = context;
    this.#running = this.#run();
  }

  /** There is something new in the queue. */
  wake(): void {
    this.#woken.resolve();
  }

  /** What has not been taken by then is sent after the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { observer } = this.#context;
    while (!this.#closing.signal.aborted) {
      this.#woken = Promise.withResolvers();
      try {
        this.#dropped ??= (await this.#counts()).dropped;
        await this.#sendAll();
      } catch (error) {
        const message = messageOf(error);
        observer.emit({ type: 'task.failed', task: `sending notifications to ${this.#endpoint.name}`, message });
      }
      await this.#pause(lookMs, this.#woken.promise);
    }
  }

  async #sendAll(): Promise<void> {
    const { index } = this.#context;
    try {
      while (!this.#closing.signal.aborted) {
        const page = await index.notices.next(this.#endpoint.name, pageSize);
        if (page.length === 0 || !(await this.#hold())) return;
        for (const notice of page) if (!(await this.#deliver(notice))) return;
      }
    } finally {
      if (this.#lease !== undefined) await index.leases.release(this.#lease, '');
      this.#lease = undefined;
    }
  }

  /** False when it is not ours to send, or not now. */
  async #deliver({ id, body }: WaitingNotice): Promise<boolean> {
    const { index, observer } = this.#context;
    const { name: endpoint, threshold, backoffMs } = this.#endpoint;
    for (;;) {
      if (this.#closing.signal.aborted || !(await this.#hold())) return false;
      const problem = await this.#attempt(body);
      if (this.#closing.signal.aborted && problem !== undefined) return false;
      const { waiting, dropped } = await this.#counts();
      this.#watch(waiting, dropped);
      if (problem === undefined) {
        this.#failures = 0;
        await index.notices.remove(id);
        observer.emit({ type: 'notice.taken', endpoint, waiting: Math.max(waiting - 1, 0) });
        return true;
      }
      this.#failures += 1;
      observer.emit({ type: 'notice.refused', endpoint, problem, failures: this.#failures, waiting });
      if (this.#failures >= threshold) await this.#pause(backoffMs);
      // It may have been dropped meanwhile, for there are too many.
      if ((await index.notices.next(endpoint, 1))[0]?.id !== id) return true;
    }
  }

  async #attempt(body: string): Promise<string | undefined> {
    const { url, timeoutMs } = this.#endpoint;
    const headers = headersOf(this.#endpoint);
    const { signal } = this.#closing;
    const answer = await this.#context.services.ask({ url, method: 'POST', headers, body, timeoutMs, signal });
    if (answer.status === undefined) return answer.problem;
    return answer.status >= 200 && answer.status < 400 ? undefined : `it answered ${answer.status}`;
  }

  async #hold(): Promise<boolean> {
    const { index, clock, holder } = this.#context;
    const nowMs = clock.now();
    if (this.#lease === undefined) {
      this.#lease = await index.leases.acquire(`notify:${this.#endpoint.name}`, holder, leaseMs, nowMs);
      this.#leasedAtMs = nowMs;
    } else if (nowMs - this.#leasedAtMs > leaseMs / 4) {
      const isOurs = await index.leases.renew(this.#lease, '', leaseMs, nowMs);
      if (!isOurs) this.#lease = undefined;
      this.#leasedAtMs = nowMs;
    }
    return this.#lease !== undefined;
  }

  /** Says that the queue grows, once for each power of ten; and what of it is lost. */
  #watch(waiting: number, dropped: number): void {
    const { observer } = this.#context;
    const endpoint = this.#endpoint.name;
    const level = Math.floor(Math.log10(Math.max(waiting, 1)));
    if (waiting >= pilingMin && level > this.#level) {
      observer.emit({ type: 'notices.piling', endpoint, waiting, waitingMax: noticesWaitingMax });
    }
    this.#level = level;
    const before = this.#dropped ?? 0;
    if (dropped > before) observer.emit({ type: 'notices.dropped', endpoint, count: dropped - before, waiting });
    this.#dropped = dropped;
  }

  async #counts(): Promise<{ readonly waiting: number; readonly dropped: number }> {
    const queues = await this.#context.index.notices.queues();
    return queues.find(({ endpoint }) => endpoint === this.#endpoint.name) ?? { waiting: 0, dropped: 0 };
  }

  async #pause(ms: number, until?: Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    const over = new AbortController();
    const sleeping = this.#context.clock.sleep(ms, AbortSignal.any([signal, over.signal])).catch(() => {});
    await Promise.race([sleeping, ...(until === undefined ? [] : [until])]);
    over.abort();
  }
}

/** The operator's headers, and our Content-Type where he gives none. */
function headersOf({ headers }: EndpointConfig): Record<string, readonly string[]> {
  const given = headers.map(([name, values]) => [name.toLowerCase(), values.map((value) => value.reveal())] as const);
  return { 'content-type': [envelopeMediaType], ...Object.fromEntries(given) };
}
