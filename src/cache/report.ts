import type { Clock } from '../observe/clock.ts';
import type { DownloadEvent, Observer } from '../observe/events.ts';
import type { Digest } from '../oci/digest.ts';
import { messageOf, systemCodeOf } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';

/** What is told of one download. */
export class Report {
  readonly #about: { readonly upstream: string; readonly repository: string; readonly digest: Digest };
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #startedMs: number;

  constructor(digest: Digest, key: RepositoryKey, observer: Observer, clock: Clock) {
    this.#about = { upstream: key.upstream ?? '', repository: key.name, digest };
    this.#observer = observer;
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  /** @param bytes known so far */
  step(step: DownloadEvent['step'], bytes: number, reason?: string): void {
    const ms = this.#clock.monotonic() - this.#startedMs;
    const event = { type: 'download', step, ...this.#about, bytes, ms } as const;
    this.#observer.emit(reason === undefined ? event : { ...event, reason });
  }

  lied(reason: string): void {
    this.#observer.emit({ type: 'upstream.lied', ...this.#about, reason });
  }

  storeFailed(operation: string, error: unknown): void {
    const message = messageOf(error);
    this.#observer.emit({ type: 'store.failed', operation, code: systemCodeOf(error), message });
  }
}
