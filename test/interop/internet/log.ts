import { EventEmitter, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';

/** One request that reached the fake internet; written when it ended, however it ended. */
export interface LoggedRequest {
  /** Seconds since the log began. */
  readonly at: number;
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly range: string | undefined;
  /** The scheme of the Authorization header. */
  readonly authorization: string | undefined;
  readonly userAgent: string | undefined;
  readonly http: string;
  /** 0: none was sent. */
  status: number;
  /** Bytes of body sent. */
  bytes: number;
  /** Docker-Content-Digest of the answer. */
  digest: string | undefined;
  fault: string | undefined;
  end: 'complete' | 'cut';
}

/** The log of requests: in memory for assertions, and as JSON lines in a file for people. */
export class RequestLog {
  readonly #ended: LoggedRequest[] = [];
  readonly #open = new Set<LoggedRequest>();
  readonly #events = new EventEmitter();
  readonly #file: WriteStream;
  readonly #began = performance.now();

  constructor(path: string) {
    this.#file = createWriteStream(path, { flags: 'a' });
  }

  open(
    request: Pick<
      LoggedRequest,
      'host' | 'method' | 'path' | 'query' | 'range' | 'authorization' | 'userAgent' | 'http'
    >,
  ): LoggedRequest {
    const at = Math.round(performance.now() - this.#began) / 1000;
    const entry: LoggedRequest = {
      at,
      ...request,
      status: 0,
      bytes: 0,
      digest: undefined,
      fault: undefined,
      end: 'cut',
    };
    this.#open.add(entry);
    return entry;
  }

  close(entry: LoggedRequest, end: LoggedRequest['end']): void {
    if (!this.#open.delete(entry)) return;
    entry.end = end;
    this.#ended.push(entry);
    this.#file.write(`${JSON.stringify(entry)}\n`);
    this.#events.emit('closed');
  }

  /** A place in the log, for `since`. */
  mark(): number {
    return this.#ended.length;
  }

  /** What ended since the mark, in the order of arrival. */
  since(mark: number): readonly LoggedRequest[] {
    return this.#ended.slice(mark).sort((a, b) => a.at - b.at);
  }

  /** Resolves when no request is open. Rejects after `timeoutMs`, naming those that are. */
  async idle(timeoutMs: number): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (this.#open.size > 0) {
      await once(this.#events, 'closed', { signal }).catch(() => {
        const open = [...this.#open].map(({ method, host, path }) => `${method} ${host}${path}`);
        throw new Error(`still open after ${timeoutMs} ms: ${open.join(', ')}`);
      });
    }
  }

  end(): void {
    this.#file.end();
  }
}
