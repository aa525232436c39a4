import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeImage, makeIndex } from '../../test/support/images.ts';
import { MemoryRepository } from '../../test/support/memory-repository.ts';
import { parseTag } from '../oci/reference.ts';
import type { WarmReport } from './contract.ts';
import { warm } from './warm.ts';
import type { Holding } from './warm.ts';

const images = ['linux/amd64', 'linux/arm64/v8'].map((platform) => makeImage({ platform }));

async function warmed(platforms: readonly string[], holding: Partial<Holding> = {}): Promise<WarmReport> {
  const repository = new MemoryRepository('docker.io', 'library/redis');
  const add = (bytes: Uint8Array, mediaType: string, ...tags: readonly string[]): unknown =>
    repository.addManifest(Buffer.from(bytes).toString(), mediaType, ...tags);
  for (const image of images) {
    add(image.bytes, image.mediaType);
    for (const blob of image.blobs) repository.addBlob(blob.bytes());
  }
  const index = makeIndex(images);
  add(index.bytes, index.mediaType, '7');
  const ask = { asker: { kind: 'operator' }, revalidate: true, requestId: 'a-1' } as const;
  const options = { platforms, verify: false, ask, onProgress: () => {} };
  return warm(repository, parseTag('7'), options, {
    settled: async () => {},
    putAside: async () => {},
    whyUnkept: async () => undefined,
    ...holding,
  });
}

describe('an image that is fetched whole', () => {
  test('is fetched for every platform, or for those that are asked for, with or without their variant', async () => {
    assert.equal((await warmed([])).manifests, 3);
    assert.equal((await warmed(['linux/amd64'])).manifests, 2);
    assert.equal((await warmed(['linux/arm64'])).manifests, 2);
    assert.equal((await warmed(['linux/amd64', 'linux/arm64/v8'])).manifests, 3);
  });

  test('fails when it is not there for a platform, and names those that are', async () => {
    await assert.rejects(warmed(['linux/amd64', 'linux/riscv64']), {
      code: 'MANIFEST_UNKNOWN',
      message: 'docker.io/library/redis is not there for linux/riscv64; name one of linux/amd64, linux/arm64/v8',
    });
  });

  test('tells in the end what is not held of it: what came last may have taken the room of what came first', async () => {
    const [first, last] = images.flatMap(({ blobs }) => blobs);
    const settled: string[] = [];
    const { unkept } = await warmed([], {
      settled: async (digest) => void settled.push(digest),
      whyUnkept: async ({ digest }) =>
        digest === first?.digest && settled.length > 1 ? 'the cache is too small' : undefined,
    });
    assert.notEqual(first?.digest, last?.digest);
    assert.deepEqual(unkept, [
      { digest: first?.digest, what: 'blob', size: first?.size, reason: 'the cache is too small' },
    ]);
  });
});
