import type { Digest } from '../oci/digest.ts';
import { parseDigest } from '../oci/digest.ts';
import type { DownloadView } from './contract.ts';
import { Download } from './download.ts';
import type { DownloadContext } from './download.ts';
import { leaseKeyOf, leaseKeyPrefix, parseState } from './download-state.ts';
import { fateOf } from './holder.ts';
import type { Arriving } from './keeper.ts';
import type { Source } from './transfer.ts';

/** What an ended process left unfinished is kept for so long, in milliseconds. */
const leftoverMsMax = 24 * 60 * 60 * 1000;
/** How often a download publishes what has arrived while few run, in milliseconds. */
const publishMsMin = 50;

/** The table of downloads: at most one a digest. It is entered before the first `await`. */
export class Downloads {
  readonly #context: DownloadContext;
  readonly #table = new Map<Digest, Download>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(context: Omit<DownloadContext, 'publishMs'>) {
    this.#context = { ...context, publishMs: () => Math.max(publishMsMin, this.#table.size * 10) };
  }

  /** One that may be joined. */
  find(digest: Digest): Download | undefined {
    const download = this.#table.get(digest);
    return download?.phase.kind === 'failed' ? undefined : download;
  }

  /** The running download of a blob, or a new one from `source`. */
  start(digest: Digest, source: Source, expectedSize: number | undefined): Download {
    const running = this.find(digest);
    if (running !== undefined) return running;
    const download = new Download(digest, source, expectedSize, this.#context);
    this.#table.set(digest, download);
    const work = download.run().finally(() => {
      if (this.#table.get(digest) === download) this.#table.delete(digest);
      this.#running.delete(work);
    });
    this.#running.add(work);
    if (this.#closed) download.suspend();
    return download;
  }

  /** What those that run take of the cache's room. */
  arriving(): Arriving {
    let bytes = 0;
    let leftBytes = 0;
    for (const { arriving } of this.#table.values()) {
      bytes += arriving.bytes;
      leftBytes += arriving.leftBytes;
    }
    return { bytes, leftBytes };
  }

  list(): readonly DownloadView[] {
    return [...this.#table.values()].map((download) => ({
      key: download.source.key,
      digest: download.digest,
      size:
        'growth' in download.phase && download.phase.growth.size !== Infinity ? download.phase.growth.size : undefined,
      arrived: download.arrivedBytes,
      readers: download.readers,
      state: download.phase.kind,
    }));
  }

  /**
   * Settles what ended processes left: a blob that was stored but not yet indexed is indexed, a partial file that
   * nobody will resume is deleted. What may still be resumed stays for a day.
   */
  async recover(): Promise<void> {
    const { store, index, clock, holder } = this.#context;
    for (const view of await index.leases.list(leaseKeyPrefix)) {
      if (fateOf(view.holder) === 'unknown') continue;
      await index.leases.release(view, view.state);
      const digest = parseDigest(view.key.slice(leaseKeyPrefix.length));
      const held = await store.find(digest);
      const lease = held === undefined ? undefined : await index.leases.acquire(view.key, holder, 10_000, clock.now());
      if (held === undefined || lease === undefined) continue;
      await index.blobs.store(digest, held.size, lease, clock.now());
      await index.leases.release(lease, '');
    }
    await this.sweep();
    await index.leases.prune(clock.now() - leftoverMsMax);
  }

  /** Deletes partial files that no lease speaks of any more. */
  async sweep(): Promise<void> {
    const { store, index } = this.#context;
    for await (const name of store.unfinished()) {
      const digest = digestIn(name);
      const view = digest === undefined ? undefined : await index.leases.peek(leaseKeyOf(digest));
      if (view !== undefined && (view.expiresAtMs > 0 || parseState(view.state)?.ingest === name)) continue;
      const left = await store.ingest(name, 'resume');
      await left?.[Symbol.asyncDispose]();
    }
  }

  /** Suspends what runs and waits for it; what has arrived can be resumed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const download of this.#table.values()) download.suspend();
    await Promise.all(this.#running);
  }
}

/** The digest that an ingest of ours is named after: `sha256-HEX.EPOCH`. */
function digestIn(name: string): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]+)\.\d+$/.exec(name);
  try {
    return match === null ? undefined : parseDigest(`${match[1]}:${match[2]}`);
  } catch {
    return undefined;
  }
}
