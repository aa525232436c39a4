import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { blobStoreContract } from '../../../test/contracts/blob-store.ts';
import type { Verified } from '../../bytes/assembly.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseIngestName } from '../blob-store.ts';
import { createMemoryStore } from './store.ts';

const bytesMax = 8 * 1024 * 1024;

blobStoreContract('memory', async () => {
  const store = createMemoryStore({ bytesMax });
  return { store, second: async () => store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

describe('a store in memory', () => {
  test('takes no byte more than its limit, and gives back what is dropped or deleted', async () => {
    await using store = createMemoryStore({ bytesMax: 128 * 1024 });
    const half = Buffer.alloc(64 * 1024, 'h');
    const content = { digest: digestOf(half), size: half.length } as Verified;
    {
      await using ingest = await store.ingest(parseIngestName('a'), 'new');
      await ingest.write(half, 0);
      await ingest.write(half, half.length);
      await assert.rejects(ingest.write(Buffer.from('x'), half.length * 2), { detail: { code: 'ENOSPC' } });
      assert.equal((await store.capacity()).freeBytes, 0);
      await ingest.commit(content);
    }
    assert.equal((await store.capacity()).freeBytes, half.length);
    await store.delete(content.digest);
    {
      await using ingest = await store.ingest(parseIngestName('b'), 'new');
      await ingest.write(half, 0);
      assert.equal((await store.capacity()).freeBytes, half.length);
    }
    assert.deepEqual(await store.capacity(), { freeBytes: 128 * 1024, totalBytes: 128 * 1024 });
  });
});
