/** What a BlobStore promises when blobs go: by a delete, into quarantine, or behind its back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../src/oci/digest.ts';
import { canQuarantine } from '../../src/store/blob-store.ts';
import { all, contentOf, heldContent, hello, isStoreFailure, put, readFrom } from './blob-store-fixtures.ts';
import type { MakeStore } from './blob-store-fixtures.ts';

export function deleting(make: MakeStore): void {
  test('a deleted blob is no longer found, and its open readers keep their bytes', async () => {
    await using subject = await make();
    const { store } = subject;
    const blob = await put(store, hello, 'a');
    await using source = await blob.open({ verified: true });
    assert.equal(await store.delete(blob.digest), true);
    assert.equal(await store.find(blob.digest), undefined);
    assert.equal(await store.delete(blob.digest), false);
    assert.deepEqual(await readFrom(source, 0), hello);
  });

  test('a blob that is deleted between being found and being opened is whole or an error', async () => {
    await using subject = await make();
    const blob = await put(subject.store, hello, 'a');
    await subject.store.delete(blob.digest);
    const outcome = await contentOf(blob).catch((error: unknown) => error);
    assert.ok(isStoreFailure(outcome) || hello.equals(outcome as Buffer), String(outcome));
  });

  test('commits and deletes of one digest at once never fail', async () => {
    await using subject = await make();
    const { store } = subject;
    const other = await subject.second();
    const commits = Array.from({ length: 20 }, (_, each) => put(each % 2 === 0 ? store : other, hello, `c${each}`));
    const deletes = Array.from({ length: 20 }, () => store.delete(digestOf(hello)));
    const results = await Promise.allSettled([...commits, ...deletes]);
    // A commit may find that what it has just made is deleted again; that is said, and nothing else may go wrong.
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    for (const failure of failures) assert.match(String(failure), /vanished/);
    await put(store, hello, 'last');
    assert.deepEqual(await heldContent(store, digestOf(hello)), hello);
  });
}

export function quarantining(make: MakeStore): void {
  test('what is quarantined is no longer found', async () => {
    await using subject = await make();
    const { store } = subject;
    assert.ok(canQuarantine(store));
    const { digest } = await put(store, hello, 'a');
    await store.quarantine(digest, 'limited');
    assert.equal(await store.find(digest), undefined);
    assert.deepEqual(await all(store.list()), []);
    await store.quarantine(digest, 'unlimited');
    await put(store, hello, 'b');
    assert.deepEqual(await heldContent(store, digest), hello);
  });
}

export function damaging(make: MakeStore): void {
  test('a blob whose bytes were lost is an error for its readers, never a short body', async () => {
    await using subject = await make();
    assert.ok(subject.damage);
    const blob = await put(subject.store, hello, 'a');
    await subject.damage.truncate(blob.digest, 9);
    await assert.rejects(contentOf(blob), isStoreFailure);
  });

  test('a blob whose file vanished is not found, and an error for who found it before', async () => {
    await using subject = await make();
    assert.ok(subject.damage);
    const blob = await put(subject.store, hello, 'a');
    await subject.damage.remove(blob.digest);
    await assert.rejects(contentOf(blob), isStoreFailure);
    assert.equal(await subject.store.find(blob.digest), undefined);
    await put(subject.store, hello, 'b');
    assert.deepEqual(await heldContent(subject.store, blob.digest), hello);
  });

  test('a blob that a crash left without bytes is not found, and is replaced by the next commit', async () => {
    await using subject = await make();
    assert.ok(subject.damage);
    const { digest } = await put(subject.store, hello, 'a');
    await subject.damage.truncate(digest, 0);
    assert.equal(await subject.store.find(digest), undefined);
    assert.deepEqual(await all(subject.store.list()), []);
    await put(subject.store, hello, 'b');
    assert.deepEqual(await heldContent(subject.store, digest), hello);
  });

  test('what others left among the blobs is neither listed nor in the way', async () => {
    await using subject = await make();
    assert.ok(subject.damage);
    await put(subject.store, hello, 'a');
    await subject.damage.litter();
    assert.deepEqual(await all(subject.store.list()), [{ digest: digestOf(hello), size: hello.length }]);
    assert.deepEqual(await all(subject.store.unfinished()), []);
  });
}
