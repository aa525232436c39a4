import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index, ManifestPush, OutboxEntry } from '../../src/index/contract.ts';
import type { Link } from '../../src/oci/link.ts';
import type { Descriptor } from '../../src/oci/manifest.ts';
import type { RepositoryKey } from '../../src/oci/repository.ts';
import { parseUploadId } from '../../src/oci/upload.ts';
import { app, blob, hold, image, latest, redis, repository, tag, takeLease } from './index-fixtures.ts';
import type { MakeIndex } from './index.ts';

const other = repository(undefined, 'local/other');
const upload = parseUploadId('0b6ad5dc-2f1b-4a52-9b1e-7a4f0a8d6d3e');
const [config, layer] = [blob('config', 10), blob('layer', 500)];
const pushed = image([config, layer]);
const later = image([config]);
const plain: ManifestPush = { tags: [], isImmutable: () => false, sparse: false, atMs: 5 };

async function addBlob(index: Index, key: RepositoryKey, { digest, size }: Descriptor): Promise<void> {
  const lease = await takeLease(index, `settle:${digest}`, 0);
  assert.equal(await index.hosted.addBlob(key, { digest, size, upload }, lease, 1), true);
  await index.leases.release(lease, '');
}

/** What is pending, told shortly, and written from now on. */
async function drain({ outbox }: Index): Promise<readonly string[]> {
  const entries = await outbox.pending(100);
  await outbox.settle(entries);
  return entries.map(({ link }) => textOf(link)).sort();
}

function textOf(link: Link): string {
  const names = {
    [config.digest]: 'config',
    [layer.digest]: 'layer',
    [pushed.digest]: 'pushed',
    [later.digest]: 'later',
  };
  switch (link.kind) {
    case 'layer':
      return `${link.repository} ${link.held ? '+' : '-'} ${names[link.digest]}`;
    case 'manifest':
      return `${link.repository} ${link.bytes === undefined ? '-' : '+'} ${names[link.digest]}`;
    case 'tag':
      return `${link.repository} ${link.tag} -> ${link.digest === undefined ? 'nothing' : names[link.digest]}`;
  }
}

export function outboxContract(make: MakeIndex): void {
  test('whatever is pushed is to be written, the blobs before the manifest before its tags', async () => {
    await using subject = await make();
    const { outbox, hosted } = subject.index;
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    await hosted.put(app, pushed, { ...plain, tags: [latest, tag('v1')] });
    const entries = await outbox.pending(100);
    assert.deepEqual(
      entries.map(({ link }) => textOf(link)),
      ['app + config', 'app + layer', 'app + pushed', 'app latest -> pushed', 'app v1 -> pushed'],
    );
    const manifest = entries.find(({ link }) => link.kind === 'manifest')?.link;
    assert.ok(manifest?.kind === 'manifest');
    assert.deepEqual(Buffer.from(manifest.bytes ?? []), pushed.bytes);
    assert.equal((await outbox.pending(2)).length, 2);
    await outbox.settle(entries);
    assert.deepEqual(await outbox.pending(100), []);
  });

  test('whatever is deleted is to be written, however it was deleted', async () => {
    await using subject = await make();
    const { hosted, manifests } = subject.index;
    const never = (): boolean => false;
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    await hosted.put(app, pushed, { ...plain, tags: [latest, tag('v1')] });
    await hosted.put(app, later, plain);
    await drain(subject.index);
    await hosted.remove(app, tag('v1'), never, 5);
    assert.deepEqual(await drain(subject.index), ['app v1 -> nothing']);
    await hosted.remove(app, pushed.digest, never, 5);
    assert.deepEqual(await drain(subject.index), ['app - pushed', 'app latest -> nothing']);
    await hosted.removeBlob(app, layer.digest);
    await manifests.remove(app, later.digest);
    assert.deepEqual(await drain(subject.index), ['app - later', 'app - layer']);
  });

  test('of many changes of one thing the last is written', async () => {
    await using subject = await make();
    const { hosted } = subject.index;
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    for (const manifest of [pushed, later, pushed, later])
      await hosted.put(app, manifest, { ...plain, tags: [latest] });
    const tags = (await drain(subject.index)).filter((text) => text.includes('latest'));
    assert.deepEqual(tags, ['app latest -> later']);
  });

  test('what changes while it is being written is written again', async () => {
    await using subject = await make();
    const { hosted, outbox } = subject.index;
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    await hosted.put(app, pushed, { ...plain, tags: [latest] });
    const entries = await outbox.pending(100);
    await hosted.put(app, later, { ...plain, tags: [latest] });
    const another = await subject.second();
    await another.outbox.settle(entries);
    assert.deepEqual(await drain(another), ['app + later', 'app latest -> later']);
  });

  test('what is to be written of one repository can be had alone, from any entry on', async () => {
    await using subject = await make();
    const { outbox } = subject.index;
    for (const key of [app, other]) for (const each of [config, layer]) await addBlob(subject.index, key, each);
    const after = async (sequence: number, limit: number): Promise<readonly OutboxEntry[]> =>
      outbox.pending(limit, { key: other, after: sequence });
    const [first, ...rest] = await after(0, 10);
    assert.deepEqual(
      [first, ...rest].map((entry) => entry && textOf(entry.link)),
      ['local/other + config', 'local/other + layer'],
    );
    assert.deepEqual(await after(0, 1), [first]);
    assert.deepEqual(await after(first?.sequence ?? 0, 10), rest);
    assert.deepEqual(await outbox.pending(10, { key: redis, after: 0 }), []);
  });

  test('tells when something was entered, and only then', async () => {
    await using subject = await make();
    let told = 0;
    subject.index.outbox.onEntered(() => (told += 1));
    await hold(subject.index, redis, pushed, 1);
    assert.equal(told, 0);
    await addBlob(subject.index, app, config);
    assert.ok(told > 0);
    const before = told;
    await hold(subject.index, redis, later, 1);
    await takeLease(subject.index, 'something else', 0);
    assert.equal(told, before);
  });

  test('what changes nothing is not written', async () => {
    await using subject = await make();
    const { hosted } = subject.index;
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    await hosted.put(app, pushed, { ...plain, tags: [latest] });
    await drain(subject.index);
    for (const each of pushed.children) await addBlob(subject.index, app, each);
    await hosted.put(app, pushed, { ...plain, tags: [latest] });
    await assert.rejects(hosted.put(app, later, { ...plain, tags: [latest], isImmutable: () => true }));
    assert.deepEqual(await drain(subject.index), []);
  });

  test('a mount is written where it was mounted, and a copy of an upstream nowhere', async () => {
    await using subject = await make();
    const { hosted, tags, outbox } = subject.index;
    await addBlob(subject.index, app, layer);
    await outbox.settle(await outbox.pending(100));
    await hosted.mountBlob(other, app, layer.digest, 1);
    await hold(subject.index, redis, pushed, 1);
    await tags.point(redis, latest, pushed.digest, 1);
    await subject.index.blobs.addMember(redis, layer.digest, 1);
    assert.deepEqual(await drain(subject.index), ['local/other + layer']);
  });

  test('a hosted manifest that rests in the store is nothing to evict, and goes when it is deleted', async () => {
    await using subject = await make();
    const { hosted, blobs, keeping, collection } = subject.index;
    await addBlob(subject.index, app, config);
    await hosted.put(app, later, plain);
    const lease = await takeLease(subject.index, 'settle', 0);
    await blobs.store(later.digest, later.size, lease, 1);
    assert.deepEqual(await keeping.candidates(10), []);
    await hosted.remove(app, later.digest, () => false, 5);
    assert.deepEqual(await keeping.candidates(10), []);
    assert.deepEqual(await collection.discards(undefined, 10), [later.digest]);
  });
}
