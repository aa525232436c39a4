import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeImage, makeIndex } from '../../test/support/images.ts';
import { MemoryRepository } from '../../test/support/memory-repository.ts';
import { parseTag } from '../oci/reference.ts';
import { warm } from './warm.ts';

const images = ['linux/amd64', 'linux/arm64/v8'].map((platform) => makeImage({ platform }));

async function warmed(platforms: readonly string[]): Promise<number> {
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
  const options = { platforms, ask, onProgress: () => {} };
  return (await warm(repository, parseTag('7'), options, async () => {})).manifests;
}

describe('an image that is fetched whole', () => {
  test('is fetched for every platform, or for those that are asked for, with or without their variant', async () => {
    assert.equal(await warmed([]), 3);
    assert.equal(await warmed(['linux/amd64']), 2);
    assert.equal(await warmed(['linux/arm64']), 2);
    assert.equal(await warmed(['linux/amd64', 'linux/arm64/v8']), 3);
  });

  test('fails when it is not there for a platform, and names those that are', async () => {
    await assert.rejects(warmed(['linux/amd64', 'linux/riscv64']), {
      code: 'MANIFEST_UNKNOWN',
      message: 'docker.io/library/redis is not there for linux/riscv64; name one of linux/amd64, linux/arm64/v8',
    });
  });
});
