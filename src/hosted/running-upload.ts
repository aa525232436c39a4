import { Tally } from '../bytes/tally.ts';
import type { Tell, UploadRow } from '../index/contract.ts';
import { tellingStoreFailures } from '../observe/store-failures.ts';
import { algorithmOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError, systemCodeOf } from '../oci/errors.ts';
import type { Descriptor } from '../oci/manifest.ts';
import type { ByteStream, Upload, UploadStatus } from '../oci/upload.ts';
import type { Ingest, IngestName } from '../store/blob-store.ts';
import type { HostedContext } from './context.ts';
import { receive } from './receive.ts';
import { settle } from './settle.ts';

/** What others are told once it is a blob of that digest and size. */
export type Telling = (digest: Digest, size: number) => Tell;

export interface UploadHooks {
  /** Told once, with the hash of what was received when the upload can be gone on with. */
  readonly onEnd: (left: Tally | undefined) => void;
  readonly telling?: Telling;
}

/** An upload in the hands of one request. The row in the index names this process as its writer until it is let go. */
export class RunningUpload implements Upload {
  readonly #row: UploadRow;
  readonly #name: IngestName;
  readonly #context: HostedContext;
  readonly #hooks: UploadHooks;
  readonly #ending = Promise.withResolvers<void>();
  #ingest: Ingest | undefined;
  #tally: Tally;
  /** In bytes: what is certainly in the ingest. */
  #received: number;
  /** Its bytes are not to be gone on with. */
  #failed = false;
  #over = false;
  #disposed = false;

  constructor(row: UploadRow, name: IngestName, context: HostedContext, hooks: UploadHooks) {
    this.#row = row;
    this.#name = name;
    this.#context = context;
    this.#hooks = hooks;
    this.#received = row.received;
    this.#tally = new Tally(row.algorithm, context.thread);
  }

  get status(): UploadStatus {
    return { id: this.#row.id, received: this.#received };
  }

  /** Resolves when nobody writes to it any more. */
  get ended(): Promise<void> {
    return this.#ending.promise;
  }

  /** Finds what was received before; false when it is not there. Without its hash it is read once more. */
  async open(tally: Tally | undefined): Promise<boolean> {
    if (this.#received === 0) return true;
    this.#ingest = await this.#context.store.ingest(this.#name, 'resume');
    const ingest = this.#ingest;
    if (ingest === undefined) return false;
    if (tally?.size === this.#received) {
      this.#tally = tally;
      return true;
    }
    tally?.[Symbol.dispose]();
    try {
      this.#tally = await this.#hash(ingest, this.#row.algorithm);
      return true;
    } catch (error) {
      if (systemCodeOf(error) === 'TRUNCATED') return false;
      throw error;
    }
  }

  write(stream: ByteStream): Promise<void> {
    return tellingStoreFailures(this.#context.observer, 'push', () => this.#write(stream));
  }

  commit(expected: Digest): Promise<Descriptor> {
    return tellingStoreFailures(this.#context.observer, 'push', () => this.#commit(expected));
  }

  async cancel(): Promise<void> {
    this.#failed = true;
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const { id } = this.#row;
    const { index, store, holder, clock } = this.#context;
    try {
      if (!this.#failed) {
        await this.#ingest?.suspend();
        await this.#ingest?.[Symbol.asyncDispose]();
        await index.uploads.close(id, holder, this.#received, clock.now());
        return;
      }
      this.#ingest ??= this.#over ? undefined : await store.ingest(this.#name, 'resume');
      await this.#ingest?.[Symbol.asyncDispose]();
      if (!this.#over) await index.uploads.remove(id);
      this.#over = true;
    } finally {
      if (this.#failed) this.#tally[Symbol.dispose]();
      this.#hooks.onEnd(this.#failed ? undefined : this.#tally);
      this.#ending.resolve();
    }
  }

  async #write(stream: ByteStream): Promise<void> {
    const { pool, clock, index, holder } = this.#context;
    const ingest = await this.#openIngest();
    const onWritten = (received: number): void => {
      this.#received = received;
    };
    const onProgress = async (received: number): Promise<void> => {
      if (await index.uploads.progress(this.#row.id, holder, received, clock.now())) return;
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'this upload was ended meanwhile; start another one');
    };
    try {
      await receive(stream, { ingest, tally: this.#tally, pool, clock, onWritten, onProgress });
    } catch (error) {
      // What a store did with bytes that it failed to take is unknown.
      if (!(error instanceof RegistryError && error.origin === 'client')) this.#failed = true;
      throw error;
    }
  }

  async #commit(expected: Digest): Promise<Descriptor> {
    const ingest = await this.#openIngest();
    // Whatever happens to it from here on, nobody goes on with it.
    this.#failed = true;
    const algorithm = algorithmOf(expected);
    if (algorithm !== this.#tally.algorithm) {
      this.#tally[Symbol.dispose]();
      this.#tally = await this.#hash(ingest, algorithm);
    }
    const content = await this.#tally.verify(expected);
    await settle(this.#context, this.#row, ingest, content, this.#hooks.telling?.(content.digest, content.size));
    this.#over = true;
    return { digest: content.digest, size: content.size, mediaType: 'application/octet-stream' };
  }

  async #openIngest(): Promise<Ingest> {
    this.#ingest ??= await this.#begin();
    return this.#ingest;
  }

  /** Mostly nobody has come this far with it before; who has may have died before a byte was known. */
  async #begin(): Promise<Ingest> {
    const { store } = this.#context;
    try {
      return await store.ingest(this.#name, 'new');
    } catch (error) {
      const left = systemCodeOf(error) === 'EEXIST' ? await store.ingest(this.#name, 'resume') : undefined;
      if (left === undefined) throw error;
      return left;
    }
  }

  #hash(ingest: Ingest, algorithm: UploadRow['algorithm']): Promise<Tally> {
    const { thread } = this.#context;
    return Tally.of({ algorithm, thread }, this.#received, (into, position) => ingest.read(into, position));
  }
}
