import type { Cache, WarmOptions, WarmProgress } from '../cache/contract.ts';
import type { Located } from './locate.ts';
import { failedLine } from './reply.ts';
import type { PullLine } from './views.ts';

/**
 * Fetches an image into the cache and tells how it goes, one line at a time. A client that reads slowly misses
 * intermediate positions, never an end. One that leaves does not stop the pull: what arrives is wanted anyway.
 */
export async function* pullLines(
  cache: Cache,
  { key, reference, text }: Located,
  wanted: Pick<WarmOptions, 'platforms' | 'verify'>,
  requestId: string,
): AsyncGenerator<PullLine> {
  const feed = new LatestFeed();
  const report = cache.warm(key, reference, {
    ...wanted,
    ask: { asker: { kind: 'operator' }, revalidate: true, requestId },
    onProgress: (progress) => feed.put(progress),
  });
  const ended = report.then(
    () => feed.end(),
    () => feed.end(),
  );
  for await (const progress of feed) yield { type: 'progress', ...progress };
  await ended;
  try {
    yield { type: 'done', image: text, ...(await report) };
  } catch (error) {
    yield failedLine(error);
  }
}

/** Keeps the newest progress of each digest until somebody reads it: as many entries as an image has parts. */
class LatestFeed implements AsyncIterable<WarmProgress> {
  readonly #waiting = new Map<string, WarmProgress>();
  #ended = false;
  #wake = Promise.withResolvers<void>();

  put(progress: WarmProgress): void {
    this.#waiting.set(progress.digest, progress);
    this.#wake.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WarmProgress> {
    for (;;) {
      const batch = [...this.#waiting.values()];
      this.#waiting.clear();
      yield* batch;
      if (this.#waiting.size > 0) continue;
      if (this.#ended) return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}
