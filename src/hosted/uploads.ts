import { randomUUID } from 'node:crypto';
import type { Tally } from '../bytes/tally.ts';
import type { UploadRow } from '../index/contract.ts';
import type { DigestAlgorithm } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { RepositoryKey } from '../oci/repository.ts';
import { parseUploadId } from '../oci/upload.ts';
import type { Upload, UploadId, UploadStatus } from '../oci/upload.ts';
import { parseIngestName, uploadIngestPrefix } from '../store/blob-store.ts';
import type { IngestName } from '../store/blob-store.ts';
import type { HostedContext } from './context.ts';
import { RunningUpload } from './running-upload.ts';
import type { Telling } from './running-upload.ts';

/** Hashes of uploads between two of their requests. Without one, what was received is read again. */
const talliesMax = 4_096;

/**
 * All unfinished uploads. What is known of one is in the index, its bytes are an ingest of the store; only the running
 * hash is kept here, and can be had again.
 */
export class Uploads implements AsyncDisposable {
  readonly #context: HostedContext;
  readonly #running = new Map<UploadId, RunningUpload>();
  readonly #tallies = new Map<UploadId, Tally>();

  constructor(context: HostedContext) {
    this.#context = context;
  }

  async start(key: RepositoryKey, algorithm: DigestAlgorithm): Promise<UploadStatus> {
    const id = parseUploadId(randomUUID());
    await this.#context.index.uploads.start(key, id, algorithm, this.#context.clock.now());
    return { id, received: 0 };
  }

  async status(key: RepositoryKey, id: UploadId): Promise<UploadStatus | undefined> {
    const row = await this.#context.index.uploads.find(key, id);
    return row && (this.#running.get(id)?.status ?? { id, received: row.received });
  }

  /** @throws RegistryError `BLOB_UPLOAD_BUSY` */
  async resume(key: RepositoryKey, id: UploadId, telling: Telling): Promise<Upload | undefined> {
    const { index } = this.#context;
    const seen = await index.uploads.find(key, id);
    if (seen === undefined) return undefined;
    if (!(await this.#takeInTime(seen))) throw busy();
    const row = await index.uploads.find(key, id);
    if (row === undefined) return undefined;
    const tally = this.#tallies.get(id);
    this.#tallies.delete(id);
    const hooks = { onEnd: (left: Tally | undefined) => this.#ended(id, left), telling };
    const upload = new RunningUpload(row, ingestNameOf(id), this.#context, hooks);
    this.#running.set(id, upload);
    try {
      if (await upload.open(tally)) return upload;
    } catch (error) {
      await upload[Symbol.asyncDispose]();
      throw error;
    }
    await upload.cancel();
    return undefined;
  }

  /** Forgets those that nothing has come for since then, unless somebody still writes to them; or only says which. */
  async expire(beforeMs: number, dryRun: boolean): Promise<void> {
    const { index, observer } = this.#context;
    let after: UploadId | undefined;
    for (;;) {
      const page = await index.uploads.idle(beforeMs, after, expirePage);
      for (const row of page) {
        after = row.id;
        if (!dryRun && !(await this.#take(row))) continue;
        if (!dryRun) await this.#cancel(row);
        const { id, received, repository } = row;
        observer.emit({ type: 'upload.expired', repository: repository.name, upload: id, bytes: received, dryRun });
      }
      if (page.length < expirePage) return;
    }
  }

  /** Deletes bytes that belong to no upload any more: a process ended between forgetting the one and the other. */
  async sweep(): Promise<void> {
    const { store, index } = this.#context;
    const names = new Set<IngestName>();
    for await (const name of store.unfinished()) if (name.startsWith(uploadIngestPrefix)) names.add(name);
    // An upload is known before it has bytes, and for as long as it has some. All of them: the clock may have gone back.
    let after: UploadId | undefined;
    while (names.size > 0) {
      const page = await index.uploads.idle(Infinity, after, expirePage);
      for (const { id } of page) names.delete(ingestNameOf(id));
      after = page.at(-1)?.id;
      if (page.length < expirePage) break;
    }
    for (const name of names) {
      const left = await store.ingest(name, 'resume');
      await left?.[Symbol.asyncDispose]();
    }
  }

  /** Waits for those that are being written to; their requests must have been ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map((upload) => upload.ended));
  }

  async #cancel(row: UploadRow): Promise<void> {
    const onEnd = (left: Tally | undefined): void => this.#ended(row.id, left);
    await new RunningUpload(row, ingestNameOf(row.id), this.#context, { onEnd }).cancel();
  }

  /** A client that was cut off may be back before its request before has ended here. */
  async #takeInTime(row: UploadRow): Promise<boolean> {
    if (await this.#take(row)) return true;
    const running = this.#running.get(row.id);
    if (running === undefined) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const patience = this.#context.clock.setTimer(patienceMs, resolve);
    await Promise.race([promise, running.ended]);
    patience.cancel();
    return this.#take(row);
  }

  async #take(row: UploadRow): Promise<boolean> {
    const { index, holder, clock, isGone } = this.#context;
    if (await index.uploads.open(row.id, holder, undefined, clock.now())) return true;
    if (row.writer === undefined || !isGone(row.writer)) return false;
    return index.uploads.open(row.id, holder, row.writer, clock.now());
  }

  #ended(id: UploadId, left: Tally | undefined): void {
    this.#running.delete(id);
    this.#tallies.get(id)?.[Symbol.dispose]();
    this.#tallies.delete(id);
    if (left === undefined) return;
    for (const oldest of this.#tallies.keys()) {
      if (this.#tallies.size < talliesMax) break;
      this.#tallies.get(oldest)?.[Symbol.dispose]();
      this.#tallies.delete(oldest);
    }
    this.#tallies.set(id, left);
  }
}

const expirePage = 100;
/** How long a request waits for the one before it to end, in milliseconds. */
const patienceMs = 1_000;

function ingestNameOf(id: UploadId): IngestName {
  return parseIngestName(`${uploadIngestPrefix}${id}`);
}

function busy(): RegistryError {
  return new RegistryError(
    'BLOB_UPLOAD_BUSY',
    'another request writes to this upload: wait for its end, and ask how far it came',
  );
}
