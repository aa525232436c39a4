import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUploadId } from '../../src/oci/upload.ts';
import { app, repository } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const idOf = (digit: number): ReturnType<typeof parseUploadId> =>
  parseUploadId(`${String(digit).repeat(8)}-2f1b-4a52-9b1e-7a4f0a8d6d3e`);
const id = idOf(1);

export function uploadsContract(make: MakeIndex): void {
  test('an upload is known to every process, in its own repository alone', async () => {
    await using subject = await make();
    await subject.index.uploads.start(app, id, 'sha512', 7);
    const { uploads } = await subject.second();
    const row = { id, repository: app, algorithm: 'sha512', received: 0, touchedAtMs: 7, writer: undefined };
    assert.deepEqual(await uploads.find(app, id), row);
    assert.equal(await uploads.find(repository(undefined, 'local/other'), id), undefined);
    assert.equal(await uploads.find(app, idOf(2)), undefined);
  });

  test('an upload has one writer at a time', async () => {
    await using subject = await make();
    const { uploads } = subject.index;
    await uploads.start(app, id, 'sha256', 1);
    assert.equal(await uploads.open(id, 'one', undefined, 2), true);
    assert.equal(await uploads.open(id, 'two', undefined, 3), false);
    assert.equal(await uploads.open(id, 'one', undefined, 3), false);
    assert.equal(await uploads.progress(id, 'one', 100, 4), true);
    assert.equal(await uploads.progress(id, 'two', 999, 4), false);
    await uploads.close(id, 'two', 999, 4);
    assert.equal(await uploads.open(id, 'two', 'one', 5), true, 'one is gone, as two has seen');
    assert.equal(await uploads.progress(id, 'one', 999, 6), false);
    await uploads.close(id, 'one', 999, 6);
    assert.deepEqual([(await uploads.find(app, id))?.received, (await uploads.find(app, id))?.writer], [100, 'two']);
    await uploads.close(id, 'two', 200, 7);
    assert.equal((await uploads.find(app, id))?.received, 200);
    assert.equal(await uploads.open(id, 'three', undefined, 8), true);
    assert.equal(await uploads.remove(id), true);
    assert.equal(await uploads.remove(id), false);
    assert.equal(await uploads.open(id, 'four', undefined, 9), false);
  });

  test('uploads that nothing came for are told, page by page', async () => {
    await using subject = await make();
    const { uploads } = subject.index;
    for (const digit of [3, 1, 2]) await uploads.start(app, idOf(digit), 'sha256', digit);
    const ids = async (beforeMs: number, after: typeof id | undefined, limit: number): Promise<readonly string[]> =>
      (await uploads.idle(beforeMs, after, limit)).map((row) => row.id);
    assert.deepEqual(await ids(10, undefined, 2), [idOf(1), idOf(2)]);
    assert.deepEqual(await ids(10, idOf(2), 2), [idOf(3)]);
    assert.deepEqual(await ids(2, undefined, 9), [idOf(1)]);
    await uploads.open(idOf(1), 'one', undefined, 8);
    assert.deepEqual(await ids(2, undefined, 9), []);
  });
}
