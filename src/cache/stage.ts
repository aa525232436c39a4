import type { DownloadEvent } from '../observe/events.ts';
import { asError, RegistryError } from '../oci/errors.ts';
import type { Arriving } from './keeper.ts';
import type { Phase } from './phase.ts';
import type { Report } from './report.ts';

/** What the readers of one download see of it, and what the table of downloads may know. */
export class Stage {
  /** Readers that read now. */
  readers = 0;
  /**
   * Whether the source itself has answered for these bytes. They may also have been at rest already, or come by way of
   * another process: then they are perhaps not for everybody who may read the source.
   */
  earned = false;
  /** Once the index counts it, it takes nothing more of the cache's room. */
  indexed = false;
  readonly #report: Report;
  readonly #opened = Promise.withResolvers<number | undefined>();
  readonly #onLie: () => void;
  readonly #onUnkept: (reason: string) => void;
  #phase: Phase = { kind: 'seeking' };
  #changed = Promise.withResolvers<void>();

  /**
   * @param onLie called for each lie of the upstream
   * @param onUnkept called when what arrives is served and not kept
   */
  constructor(report: Report, onLie: () => void, onUnkept: (reason: string) => void) {
    this.#report = report;
    this.#onLie = onLie;
    this.#onUnkept = onUnkept;
    this.#opened.promise.catch(() => {});
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Nothing more will arrive. */
  get isOver(): boolean {
    return this.#phase.kind !== 'seeking' && this.#phase.kind !== 'growing';
  }

  /** Resolves to the size in bytes once the content can be served, to `undefined` when the upstream does not have it. */
  get opened(): Promise<number | undefined> {
    return this.#opened.promise;
  }

  /** Resolves when the phase is another than it was. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  get arrivedBytes(): number {
    if (this.#phase.kind === 'stored') return this.#phase.blob.size;
    return 'growth' in this.#phase ? this.#phase.growth.extents.bytes : 0;
  }

  get arriving(): Arriving {
    if (this.#phase.kind !== 'growing' || this.indexed) return { bytes: 0, leftBytes: 0 };
    const { size, extents } = this.#phase.growth;
    return size === Infinity
      ? { bytes: extents.bytes, leftBytes: 0 }
      : { bytes: size, leftBytes: size - extents.bytes };
  }

  become(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    if (phase.kind === 'stored') this.open(phase.blob.size);
    else if (phase.kind === 'unstored') this.open(phase.growth.size);
    else if (phase.kind === 'absent') this.#opened.resolve(undefined);
    else if (phase.kind === 'failed') this.#opened.reject(phase.error);
    if (before.kind === 'growing' && phase.kind === 'failed') before.growth.fail(phase.error);
    else if (before.kind === 'growing') before.growth.retire();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  /** @param size in bytes; `Infinity` opens nothing: nobody can be served while it is not known */
  open(size: number): void {
    if (size !== Infinity) this.#opened.resolve(size);
  }

  /** What is not what its digest says is the upstream's fault, whoever found it out. */
  fail(error: unknown, step: 'failed' | 'suspended'): void {
    const isLie = error instanceof RegistryError && error.code === 'DIGEST_INVALID';
    const given = asError(error);
    this.tell(step, given.message);
    if (isLie) this.lied(given.message);
    this.become({
      kind: 'failed',
      error: isLie ? new RegistryError('UPSTREAM_INVALID', given.message, { cause: given }) : given,
    });
  }

  tell(step: DownloadEvent['step'], reason?: string): void {
    this.#report.step(step, this.arrivedBytes, reason);
  }

  unkept(reason: string): void {
    this.#onUnkept(reason);
    this.tell('unstored', reason);
  }

  lied(reason: string): void {
    this.#onLie();
    this.#report.lied(reason);
  }

  storeFailed(operation: string, error: unknown): void {
    this.#report.storeFailed(operation, error);
  }

  /** A file that cannot be put away is left to the sweep: nobody's answer depends on it. */
  async letGo(putAway: Promise<void> | undefined): Promise<void> {
    await putAway?.catch((error: unknown) => this.storeFailed('discard', error));
  }
}
