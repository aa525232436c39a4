import type { IncomingHttpHeaders } from 'node:http';
import { bareMediaType } from '../oci/media-types.ts';
import { parseContentRange, parseLength } from './content-range.ts';
import type { BlobHead, BlobRequest, BlobSink } from './contract.ts';
import type { Head, Receiver } from './exchange.ts';
import type { Bandwidth } from './limits.ts';
import type { Clock } from '../observe/clock.ts';

/** How far a blob has come, over all that were asked for it in one call. */
export interface Progress {
  /** Next byte expected. */
  position: number;
  /** The sink has its head. */
  begun: boolean;
  /** The sink wants no more. */
  left: boolean;
  /** It was the sink that failed: nobody else need be asked. */
  sinkFailed: boolean;
}

export interface TransferOptions {
  readonly request: BlobRequest;
  readonly progress: Progress;
  readonly sink: BlobSink;
  readonly bandwidth: Bandwidth;
  readonly clock: Clock;
}

/** Headers that ask for the part of a blob that is still missing. */
export function rangeHeaders({ end, etag }: BlobRequest, { position }: Progress): Record<string, string> {
  if (position === 0 && end === undefined) return {};
  const last = end === undefined ? '' : String(end - 1);
  const condition = etag === undefined || etag.startsWith('W/') ? {} : { 'if-range': etag };
  return { range: `bytes=${position}-${last}`, ...condition };
}

/**
 * One answer to a request for a blob, checked before its first byte goes to the sink, and its length at its end. An answer
 * that is not the content is left to the caller, who has its status.
 */
export class Transfer implements Receiver {
  readonly #options: TransferOptions;
  /** One past the last byte that the answer promised. */
  #promised: number | undefined;
  /** Why the answer cannot be what it should be: completes "docker.io ...". */
  lie: string | undefined;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  head({ status, headers }: Head): 'take' | 'drain' | 'leave' {
    if (status !== 200 && status !== 206) return 'drain';
    const { progress, sink } = this.#options;
    const head = this.#read(status, headers);
    if (head === undefined) return 'leave';
    if (progress.begun && head.start !== progress.position) {
      this.lie = `cannot go on from byte ${progress.position}`;
      return 'leave';
    }
    progress.position = head.start;
    if (!progress.begun) {
      progress.begun = true;
      progress.left = !this.#watch(() => sink.head(head));
    }
    return progress.left ? 'leave' : 'take';
  }

  data(chunk: Buffer): boolean | Promise<boolean> {
    const { progress, sink, bandwidth } = this.#options;
    progress.position += chunk.length;
    const wish = this.#watch(() => sink.data(chunk));
    const waitMs = bandwidth.book(chunk.length);
    if (wish === true && waitMs === 0) return true;
    return this.#slowly(wish, waitMs);
  }

  /** What is missing at the end of an answer; `undefined` when nothing is, or when that is not known. */
  get missing(): number | undefined {
    const { progress, request } = this.#options;
    const end = this.#promised ?? request.end;
    return end === undefined || progress.left || progress.position === end ? undefined : end - progress.position;
  }

  async #slowly(wish: boolean | Promise<boolean>, waitMs: number): Promise<boolean> {
    const { progress, clock, request } = this.#options;
    try {
      // Together: the sink may fail while there is still time to wait.
      const [more] = await Promise.all([wish, waitMs > 0 ? clock.sleep(waitMs, request.signal) : undefined]);
      progress.left = !more;
      return more;
    } catch (error) {
      progress.sinkFailed = true;
      throw error;
    }
  }

  #watch<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.#options.progress.sinkFailed = true;
      throw error;
    }
  }

  #read(status: number, headers: IncomingHttpHeaders): BlobHead | undefined {
    const { request, progress } = this.#options;
    this.lie = oddBody(headers);
    if (this.lie !== undefined) return undefined;
    const etag = headers.etag;
    const length = parseLength(headers['content-length']);
    if (status === 200) {
      this.#promised = length;
      const ignored = progress.position > 0 || request.end !== undefined;
      // Silence is taken for consent: many honour Range and do not say so.
      const ranges = !ignored && headers['accept-ranges']?.trim().toLowerCase() !== 'none';
      return { start: 0, size: length, etag, ranges };
    }
    const range = parseContentRange(headers['content-range']);
    const asked = progress.position;
    if (range === undefined) this.lie = 'answered a range without saying which';
    else if (range.start !== asked) this.lie = `answered from byte ${range.start} instead of ${asked}`;
    else if (request.end !== undefined && range.end > request.end) this.lie = 'answered more than the range';
    else if (length !== undefined && length !== range.end - range.start)
      this.lie = 'contradicts itself about the length';
    else if (changed(request.etag, etag)) this.lie = 'has changed the content since the first part';
    if (range === undefined || this.lie !== undefined) return undefined;
    this.#promised = range.end;
    return { start: range.start, size: range.size, etag, ranges: true };
  }
}

/** Why a body with such headers is not what a registry keeps. */
export function oddBody(headers: IncomingHttpHeaders): string | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity')
    return `encoded the content (${encoding.slice(0, 40)}) though nobody asked`;
  const type = bareMediaType(headers['content-type'] ?? '');
  return type === 'text/html' || type === 'application/xhtml+xml' ? 'answered with a web page' : undefined;
}

/** Both strong and different: with If-Range the answer would have been 200 (RFC 9110, 13.1.5). */
function changed(before: string | undefined, now: string | undefined): boolean {
  return (
    before !== undefined && now !== undefined && before !== now && !before.startsWith('W/') && !now.startsWith('W/')
  );
}
