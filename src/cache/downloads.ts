import type { Digest } from '../oci/digest.ts';
import type { DownloadView } from './contract.ts';
import { Download } from './download.ts';
import type { DownloadContext } from './download.ts';
import type { Arriving } from './keeper.ts';
import type { Source } from './sources.ts';

/** How often a download publishes what has arrived while few run, in milliseconds. */
const publishMsMin = 50;

const suspectsMax = 1_000;
const unkeptMax = 1_000;

/** The table of downloads: at most one a digest. It is entered before the first `await`. */
export class Downloads {
  readonly #context: DownloadContext;
  readonly #table = new Map<Digest, Download>();
  readonly #running = new Set<Promise<void>>();
  /** Blobs of which somebody, perhaps a mirror, has sent wrong bytes: the next time the upstream itself is asked. */
  readonly #suspects = new Set<Digest>();
  /** Why blobs were served last and not kept. */
  readonly #unkept = new Map<Digest, string>();
  #closed = false;

  constructor(context: Omit<DownloadContext, 'publishMs' | 'onLie' | 'onUnkept'>) {
    this.#context = {
      ...context,
      publishMs: () => Math.max(publishMsMin, this.#table.size * 10),
      onLie: (digest) => this.#suspect(digest),
      onUnkept: (digest, reason) => this.#noteUnkept(digest, reason),
    };
  }

  /** One that may be joined. */
  find(digest: Digest): Download | undefined {
    const download = this.#table.get(digest);
    return download?.phase.kind === 'failed' ? undefined : download;
  }

  /** The running download of a blob, or a new one from `source`. */
  start(digest: Digest, source: Source, expectedSize: number | undefined): Download {
    const trusted = this.#suspects.has(digest) ? { ...source, direct: true as const } : source;
    const running = this.find(digest);
    running?.offer(trusted);
    if (running !== undefined) return running;
    // What failed closes its file and gives its lease back first: followed, it would be read once more.
    const failed = this.#table.get(digest)?.ended;
    const download = new Download(digest, trusted, expectedSize, this.#context);
    this.#table.set(digest, download);
    const work = (failed === undefined ? download.run() : failed.then(() => download.run())).finally(() => {
      if (this.#table.get(digest) === download) this.#table.delete(digest);
      if (download.phase.kind === 'stored') this.#clear(digest);
      this.#running.delete(work);
    });
    this.#running.add(work);
    if (this.#closed) download.suspend();
    return download;
  }

  /** Why a blob was served last and not kept; `undefined` when it was kept, and when that is too long ago. */
  whyUnkept(digest: Digest): string | undefined {
    return this.#unkept.get(digest);
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
      size: download.size,
      arrived: download.arrivedBytes,
      readers: download.readers,
      state: download.phase.kind,
    }));
  }

  /** Suspends what runs and waits for it; what has arrived can be resumed. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const download of this.#table.values()) download.suspend();
    await Promise.all(this.#running);
  }

  #suspect(digest: Digest): void {
    const [oldest] = this.#suspects;
    if (this.#suspects.size >= suspectsMax && oldest !== undefined) this.#suspects.delete(oldest);
    this.#suspects.add(digest);
  }

  #noteUnkept(digest: Digest, reason: string): void {
    this.#unkept.delete(digest);
    const [oldest] = this.#unkept.keys();
    if (this.#unkept.size >= unkeptMax && oldest !== undefined) this.#unkept.delete(oldest);
    this.#unkept.set(digest, reason);
  }

  #clear(digest: Digest): void {
    this.#suspects.delete(digest);
    this.#unkept.delete(digest);
  }
}
