import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import type { UpstreamOptions } from '../../test/support/counting-upstream.ts';
import { makeBlob } from '../../test/support/images.ts';
import type { Filter, Transferred } from '../../test/support/upstream-ledger.ts';
import { BlobFamily, images } from './contents.ts';
import { answerWith } from './helper.ts';

let upstream: CountingUpstream | undefined;

const operations = {
  async start(options: UpstreamOptions): Promise<string> {
    upstream = await CountingUpstream.start(options);
    return upstream.origin;
  },
  publishBlob({ repository, size, seed }: { repository: string; size: number; seed: string }): string {
    const blob = makeBlob(size, seed);
    running().publishBlob(repository, blob);
    return blob.digest;
  },
  publishFamily({ repository, size, count }: { repository: string; size: number; count: number }): string[] {
    const family = new BlobFamily(size);
    const blobs = Array.from({ length: count }, (_, number) => family.member(number));
    for (const blob of blobs) running().publishBlob(repository, blob);
    return blobs.map(({ digest }) => digest);
  },
  publishImages(count: number): void {
    for (const { repository, tag, content } of images(count)) running().publish(`${repository}:${tag}`, content);
  },
  count: (filter: Filter): number => running().count(filter),
  blobBytes: (digest: string): Transferred => running().blobBytes(digest),
  summary: (): string => running().summary(),
  reset: (): void => running().reset(),
};

export type UpstreamOperations = typeof operations;

answerWith(operations);

function running(): CountingUpstream {
  if (!upstream) throw new Error('the upstream was not started');
  return upstream;
}
