import type { Collect, RunOptions } from '../collect/contract.ts';
import { failedLine } from './reply.ts';
import type { CollectLine } from './views.ts';

export interface CollectRequest extends RunOptions {
  readonly dryRun: boolean;
}

/** Collects, or tells what would be collected. A client that leaves ends it; whatever is left goes the next time. */
export async function* collectLines(
  collect: Collect,
  { dryRun, ...options }: CollectRequest,
): AsyncGenerator<CollectLine> {
  const total = { manifests: 0, blobs: 0, freedBytes: 0 };
  try {
    const steps = dryRun ? collect.preview(options) : collect.run(options);
    for await (const { manifests, blobs, freedBytes } of steps) {
      total.manifests += manifests;
      total.blobs += blobs.length;
      total.freedBytes += freedBytes;
      if (blobs.length + freedBytes > 0) yield { type: 'collected', blobs, freedBytes };
    }
    yield { type: 'done', dryRun, ...total, waiting: await collect.waiting() };
  } catch (error) {
    yield failedLine(error);
  }
}
