import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index, ManifestPush, Notice } from '../../src/index/contract.ts';
import { noticesWaitingMax } from '../../src/index/notices-contract.ts';
import { parseUploadId } from '../../src/oci/upload.ts';
import { app, blob, image, latest, repository } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const upload = parseUploadId('0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e');
const notice = (body: string, endpoint = 'one'): Notice => ({ endpoint, body });
const other = repository(undefined, 'local/other');
const layer = blob('layer', 500);
const pushed = image([layer]);

async function waiting({ notices }: Index, endpoint = 'one'): Promise<readonly string[]> {
  return (await notices.next(endpoint, 100)).map(({ body }) => body);
}

async function addBlob({ hosted, leases }: Index, body: string): Promise<void> {
  const lease = await leases.acquire(`settle:${body}`, 'one', 1_000, 0);
  assert.ok(lease);
  await hosted.addBlob(app, { ...layer, upload, tell: () => [notice(body)] }, lease, 1);
}

export function noticesContract(make: MakeIndex): void {
  test('notices wait in order, for each endpoint by itself, until they are taken', async () => {
    await using subject = await make();
    const { notices } = subject.index;
    await notices.add([notice('a'), notice('x', 'two'), notice('b')]);
    await notices.add([notice('c')]);
    assert.deepEqual(await waiting(subject.index), ['a', 'b', 'c']);
    const [first, second] = await notices.next('one', 2);
    assert.ok(first !== undefined && second !== undefined && first.id < second.id);
    await notices.remove(first.id);
    assert.deepEqual(await waiting(await subject.second()), ['b', 'c']);
    assert.deepEqual(await notices.queues(), [
      { endpoint: 'one', waiting: 2, dropped: 0 },
      { endpoint: 'two', waiting: 1, dropped: 0 },
    ]);
  });

  test('the oldest notices of a full queue are dropped, and counted', async () => {
    await using subject = await make();
    const { notices } = subject.index;
    const many = Array.from({ length: noticesWaitingMax }, (_, at) => notice(String(at)));
    await notices.add(many);
    await notices.add([notice('last'), notice('x', 'two'), notice('very last')]);
    assert.deepEqual((await notices.next('one', 1))[0]?.body, '2');
    assert.deepEqual((await notices.queues())[0], { endpoint: 'one', waiting: noticesWaitingMax, dropped: 2 });
  });

  test('a queue is forgotten with what waits in it', async () => {
    await using subject = await make();
    const { notices } = subject.index;
    await notices.add([notice('a'), notice('x', 'two')]);
    await notices.forget('one');
    assert.deepEqual(await waiting(subject.index), []);
    assert.deepEqual(await notices.queues(), [{ endpoint: 'two', waiting: 1, dropped: 0 }]);
  });

  test('a change and its notices are written together, or not at all', async () => {
    await using subject = await make();
    const { index } = subject;
    const { hosted } = index;
    await addBlob(index, 'blob');
    const push: ManifestPush = { tags: [latest], isImmutable: () => false, sparse: false, atMs: 5 };
    await hosted.put(app, pushed, { ...push, tell: () => [notice('manifest')] });
    assert.equal(await hosted.mountBlob(other, app, layer.digest, 1, () => [notice('mount')]), true);
    assert.deepEqual(await waiting(index), ['blob', 'manifest', 'mount']);

    const fails = (): never => {
      throw new Error('no words');
    };
    await assert.rejects(hosted.put(other, pushed, { ...push, tell: fails }), /no words/);
    assert.equal(await index.manifests.find(other, pushed.digest), undefined);
    assert.equal(await hosted.mountBlob(other, repository(undefined, 'nobody'), layer.digest, 1, fails), false);
    assert.equal(await hosted.removeBlob(app, layer.digest, fails), 'needed');
    await assert.rejects(hosted.put(other, image([blob('absent', 1)]), { ...push, tell: fails }), {
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
    assert.equal((await waiting(index)).length, 3);
  });

  test('what goes with a manifest is told with it', async () => {
    await using subject = await make();
    const { index } = subject;
    const { hosted } = index;
    await addBlob(index, 'blob');
    await hosted.put(app, pushed, { tags: [latest], isImmutable: () => false, sparse: false, atMs: 5 });
    const tell = (untagged: readonly string[]): readonly Notice[] => [notice(`gone with ${untagged.join()}`)];
    assert.equal(await hosted.remove(app, pushed.digest, () => false, 5, tell), true);
    assert.equal(await hosted.remove(app, pushed.digest, () => false, 5, tell), false);
    assert.equal(await hosted.removeBlob(app, layer.digest, () => [notice('blob gone')]), 'removed');
    assert.equal(await hosted.removeBlob(app, layer.digest, () => [notice('again')]), 'absent');
    assert.deepEqual(await waiting(index), ['blob', `gone with ${latest}`, 'blob gone']);
  });
}
