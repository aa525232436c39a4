import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { app, upload } from '../../test/contracts/index-fixtures.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import { parseIngestName } from '../store/blob-store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import type { HostedContext } from './context.ts';
import { Uploads } from './uploads.ts';

describe('bytes that belong to no upload', () => {
  test('are deleted, and those of an upload kept, even when the clock has gone back since it was written to', async () => {
    await using dir = await TempDir.make();
    await using index = await openSqliteIndex({ path: dir.join('index.db') });
    const store = createMemoryStore({ bytesMax: 1_000_000 });
    const clock = new FakeClock();
    await index.uploads.start(app, upload, 'sha256', clock.now() + 5_000);
    const [known, nobodys] = [`upload-${upload}`, 'upload-of-nobody'].map(parseIngestName);
    assert.ok(known && nobodys);
    for (const name of [known, nobodys]) await (await store.ingest(name, 'new')).suspend();
    await using uploads = new Uploads({ store, index, clock } as Partial<HostedContext> as HostedContext);
    await uploads.sweep();
    assert.deepEqual(await Array.fromAsync(store.unfinished()), [known]);
  });
});
