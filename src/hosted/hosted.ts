import { BufferPool } from '../bytes/buffer-pool.ts';
import { HashThread } from '../bytes/hash-thread.ts';
import type { Timer } from '../observe/clock.ts';
import { settlingPrefix } from '../index/settling.ts';
import { messageOf } from '../oci/errors.ts';
import type { RepositoryKey, WritableRepository } from '../oci/repository.ts';
import type { HostedContext, HostedOptions } from './context.ts';
import { HostedRepository } from './repository.ts';
import { Uploads } from './uploads.ts';

/** What is pushed here. */
export interface Hosted extends AsyncDisposable {
  /** Whether or not anybody has ever pushed to it. */
  repository(key: RepositoryKey): WritableRepository;
  /** Forgets uploads that were given up, now and from now on as often as the configuration says. */
  tidy(): Promise<void>;
}

/** For what is being received by all uploads together, in bytes. */
const poolBytes = 32 * 1024 * 1024;
const firstBufferBytes = 128 * 1024;
/** Each is handed to two threads and back: to wake them costs more than what leaves the processor's cache meanwhile. */
const largestBufferBytes = 1024 * 1024;

export function createHosted(options: HostedOptions): Hosted {
  const pool = new BufferPool({
    budgetBytes: poolBytes,
    firstBytes: firstBufferBytes,
    largestBytes: largestBufferBytes,
    shared: true,
  });
  return new TheHosted({ ...options, pool, thread: new HashThread() });
}

class TheHosted implements Hosted {
  readonly #context: HostedContext;
  readonly #uploads: Uploads;
  #timer: Timer | undefined;
  #tidying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: HostedContext) {
    this.#context = context;
    this.#uploads = new Uploads(context);
  }

  repository(key: RepositoryKey): WritableRepository {
    return new HostedRepository(key, this.#context, this.#uploads);
  }

  async tidy(): Promise<void> {
    this.#tidying = this.#tidy();
    await this.#tidying;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#tidying;
    await this.#uploads[Symbol.asyncDispose]();
    this.#context.thread[Symbol.dispose]();
  }

  /** What fails today is done tomorrow. */
  async #tidy(): Promise<void> {
    const { clock, observer } = this.#context;
    const { idleMsMax, everyMs, dryRun } = this.#context.uploads();
    this.#timer?.cancel();
    try {
      if (idleMsMax !== Number.POSITIVE_INFINITY) await this.#uploads.expire(clock.now() - idleMsMax, dryRun);
      await this.#uploads.sweep();
      await this.#releaseLeft();
    } catch (error) {
      const message = messageOf(error);
      observer.emit({ type: 'task.failed', task: 'forgetting given-up uploads', message });
    }
    if (!this.#closed) this.#timer = clock.setTimer(everyMs, () => void this.tidy());
  }

  /** What a killed process was settling is nobody's any more. The next push would take it over; perhaps none comes. */
  async #releaseLeft(): Promise<void> {
    const { index, isGone } = this.#context;
    for (const lease of await index.leases.list(settlingPrefix)) {
      if (isGone(lease.holder)) await index.leases.release(lease, '');
    }
  }
}
