/**
 * What every BlobStore promises. A driver's own test hands in how to make one, and, where its content can be reached
 * behind its back, how to damage it.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from '../../src/oci/digest.ts';
import {
  all,
  byDigest,
  contentOf,
  heldContent,
  hello,
  ingestName,
  isStoreFailure,
  put,
  readFrom,
  verified,
} from './blob-store-fixtures.ts';
import type { MakeStore } from './blob-store-fixtures.ts';
import { damaging, deleting, quarantining } from './blob-store-loss.ts';

/** What a driver can do, or have done to it, beyond the contract of all. */
export type StorePower = 'quarantine' | 'damage';

export function blobStoreContract(name: string, make: MakeStore, powers: readonly StorePower[] = []): void {
  describe(`${name} as a blob store`, () => {
    committing(make);
    reading(make);
    resuming(make);
    sharing(make);
    deleting(make);
    listing(make);
    if (powers.includes('quarantine')) quarantining(make);
    if (powers.includes('damage')) damaging(make);
  });
}

function committing(make: MakeStore): void {
  test('content is found once it is committed, and not before', async () => {
    await using subject = await make();
    const { store } = subject;
    const digest = digestOf(hello);
    await using ingest = await store.ingest(ingestName('a'), 'new');
    await ingest.write(hello, 0);
    assert.equal(await store.find(digest), undefined);
    const committed = await ingest.commit(verified(hello));
    assert.deepEqual([committed.digest, committed.size], [digest, hello.length]);
    assert.deepEqual(await contentOf(committed), hello);
    assert.deepEqual(await heldContent(store, digest), hello);
  });

  test('pieces may come in any order, and any part can be read', async () => {
    await using subject = await make();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(scattered, async ({ bytes, pieces, offset }) => {
        await using ingest = await subject.store.ingest(ingestName(`p${(count += 1)}`), 'new');
        await Promise.all(pieces.map(({ start, end }) => ingest.write(bytes.subarray(start, end), start)));
        const blob = await ingest.commit(verified(bytes));
        await using source = await blob.open({ verified: true });
        assert.deepEqual(await readFrom(source, offset), Buffer.from(bytes.subarray(offset)));
      }),
      { numRuns: 25 },
    );
  });

  test('committing what is held already keeps what is held', async () => {
    await using subject = await make();
    const { store } = subject;
    const first = await put(store, hello, 'a');
    await using open = await first.open({ verified: true });
    const again = await put(store, hello, 'b');
    assert.deepEqual(await contentOf(again), hello);
    assert.deepEqual(await readFrom(open, 0), hello);
    assert.deepEqual(await all(store.unfinished()), []);
  });

  test('many ingests of one digest at once all succeed and leave one blob', async () => {
    await using subject = await make();
    const { store } = subject;
    await Promise.all(Array.from({ length: 8 }, (_, each) => put(store, hello, `same-${each}`)));
    assert.deepEqual(await all(store.list()), [{ digest: digestOf(hello), size: hello.length }]);
    assert.deepEqual(await all(store.unfinished()), []);
  });

  test('an ingest with fewer bytes than the content has is not committed', async () => {
    await using subject = await make();
    const { store } = subject;
    await using ingest = await store.ingest(ingestName('short'), 'new');
    await ingest.write(hello.subarray(0, 5), 0);
    await assert.rejects(ingest.commit(verified(hello)), isStoreFailure);
    assert.equal(await store.find(digestOf(hello)), undefined);
  });

  test('what lies beyond the end of the content is cut off', async () => {
    await using subject = await make();
    await using ingest = await subject.store.ingest(ingestName('long'), 'new');
    await ingest.write(Buffer.concat([hello, Buffer.from('left over')]), 0);
    assert.deepEqual(await contentOf(await ingest.commit(verified(hello))), hello);
  });

  test('content without bytes is content', async () => {
    await using subject = await make();
    const nothing = Buffer.alloc(0);
    await put(subject.store, nothing, 'nothing');
    assert.equal((await subject.store.find(digestOf(nothing)))?.size, 0);
    assert.deepEqual(await heldContent(subject.store, digestOf(nothing)), nothing);
  });

  test('sha512 digests are held like any other', async () => {
    await using subject = await make();
    const digest = digestOf(hello, 'sha512');
    await using ingest = await subject.store.ingest(ingestName('wide'), 'new');
    await ingest.write(hello, 0);
    await ingest.commit(verified(hello, digest));
    assert.deepEqual(await heldContent(subject.store, digest), hello);
    assert.equal(await subject.store.find(digestOf(hello)), undefined);
  });
}

function reading(make: MakeStore): void {
  test('what was written can be read back before the commit, and after it until the ingest is disposed', async () => {
    await using subject = await make();
    const ingest = await subject.store.ingest(ingestName('back'), 'new');
    await ingest.write(hello.subarray(7), 7);
    assert.deepEqual(await readFrom(ingest, 7), hello.subarray(7));
    await ingest.write(hello.subarray(0, 7), 0);
    const reads = [readFrom(ingest, 0), ingest.commit(verified(hello)), readFrom(ingest, 0)] as const;
    const [before, , during] = await Promise.all(reads);
    assert.deepEqual([before, during, await readFrom(ingest, 0)], [hello, hello, hello]);
    await ingest[Symbol.asyncDispose]();
    await assert.rejects(readFrom(ingest, 0));
  });

  test('what can be read at once is what is read, and nothing is at the end', async () => {
    await using subject = await make();
    await put(subject.store, hello, 'now');
    const source = await (await subject.store.find(digestOf(hello)))?.open({ verified: true });
    assert.ok(source !== undefined);
    const into = Buffer.alloc(hello.length);
    const length = source.readNow?.(into, 7) ?? 0;
    assert.ok(into.subarray(0, length).equals(hello.subarray(7, 7 + length)));
    assert.equal(source.readNow?.(into, hello.length), undefined);
    await source[Symbol.asyncDispose]();
  });

  test('an ingest that has been committed takes no more bytes', async () => {
    await using subject = await make();
    await using ingest = await subject.store.ingest(ingestName('ended'), 'new');
    await ingest.write(hello, 0);
    await ingest.commit(verified(hello));
    await assert.rejects(ingest.write(Buffer.from('HELLO'), 0));
    assert.deepEqual(await heldContent(subject.store, digestOf(hello)), hello);
  });

  test('a read gives at most what was asked for, and nothing at the end', async () => {
    await using subject = await make();
    const blob = await put(subject.store, hello, 'a');
    await using source = await blob.open({ verified: true });
    const buffer = Buffer.alloc(4, 'x');
    assert.equal(await source.read(buffer, 3), 4);
    assert.equal(buffer.toString(), hello.subarray(3, 7).toString());
    assert.equal(await source.read(buffer, hello.length - 2), 2);
    assert.equal(await source.read(buffer, hello.length), 0);
    assert.equal(await source.read(buffer, hello.length + 100), 0);
  });
}

function resuming(make: MakeStore): void {
  test('a disposed ingest is forgotten', async () => {
    await using subject = await make();
    const { store } = subject;
    const name = ingestName('dropped');
    {
      await using ingest = await store.ingest(name, 'new');
      await ingest.write(hello, 0);
    }
    assert.deepEqual(await all(store.unfinished()), []);
    assert.equal(await store.ingest(name, 'resume'), undefined);
    assert.equal(await store.follow(name), undefined);
  });

  test('a suspended ingest keeps its bytes and is resumed by name', async () => {
    await using subject = await make();
    const name = ingestName('later.7');
    {
      await using ingest = await subject.store.ingest(name, 'new');
      await ingest.write(hello.subarray(0, 6), 0);
      await ingest.suspend();
    }
    const store = await subject.second();
    assert.deepEqual(await all(store.unfinished()), [name]);
    await using ingest = await store.ingest(name, 'resume');
    assert.ok(ingest);
    assert.deepEqual(await readFrom(ingest, 0), hello.subarray(0, 6));
    await ingest.write(hello.subarray(6), 6);
    await ingest.commit(verified(hello));
    assert.deepEqual(await heldContent(subject.store, digestOf(hello)), hello);
    assert.deepEqual(await all(store.unfinished()), []);
  });

  test('a name that an unfinished ingest has cannot be begun anew', async () => {
    await using subject = await make();
    await using ingest = await subject.store.ingest(ingestName('taken'), 'new');
    await ingest.write(hello, 0);
    await assert.rejects(subject.store.ingest(ingestName('taken'), 'new'), isStoreFailure);
    assert.deepEqual(await readFrom(ingest, 0), hello);
  });
}

function sharing(make: MakeStore): void {
  test('another process follows an ingest as it grows, and to its end when it has been committed meanwhile', async () => {
    await using subject = await make();
    const other = await subject.second();
    const name = ingestName('growing');
    await using ingest = await subject.store.ingest(name, 'new');
    await ingest.write(hello.subarray(0, 5), 0);
    const follower = await other.follow(name);
    assert.ok(follower);
    await using source = follower;
    assert.deepEqual(await readFrom(source, 0), hello.subarray(0, 5));
    await ingest.write(hello.subarray(5), 5);
    assert.deepEqual(await readFrom(source, 5), hello.subarray(5));
    await ingest.commit(verified(hello));
    assert.deepEqual(await readFrom(source, 0), hello);
    assert.equal(await other.follow(name), undefined);
    assert.deepEqual(await heldContent(other, digestOf(hello)), hello);
  });

  test('a follower keeps what it has opened when the ingest is dropped', async () => {
    await using subject = await make();
    const name = ingestName('abandoned');
    const ingest = await subject.store.ingest(name, 'new');
    await ingest.write(hello, 0);
    const follower = await (await subject.second()).follow(name);
    assert.ok(follower);
    await using source = follower;
    await ingest[Symbol.asyncDispose]();
    assert.deepEqual(await readFrom(source, 0), hello);
  });
}

function listing(make: MakeStore): void {
  test('everything committed is listed, nothing unfinished', async () => {
    await using subject = await make();
    const { store } = subject;
    const contents = Array.from({ length: 40 }, (_, each) => Buffer.from(`content ${each}`));
    for (const [each, content] of contents.entries()) await put(store, content, `n${each}`);
    await using ingest = await store.ingest(ingestName('open'), 'new');
    await ingest.write(hello, 0);
    const expected = contents.map((content) => ({ digest: digestOf(content), size: content.length }));
    assert.deepEqual(byDigest(await all(store.list())), byDigest(expected));
    assert.deepEqual(await all(store.unfinished()), ['open']);
  });

  test('an empty store lists nothing and has room', async () => {
    await using subject = await make();
    assert.deepEqual(await all(subject.store.list()), []);
    const { freeBytes, totalBytes } = await subject.store.capacity();
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes, `${freeBytes} of ${totalBytes} bytes`);
  });
}

/** Content up to 200 KB, cut into pieces that come in some order, and a place to read from. */
const scattered = fc
  .record({
    size: fc.integer({ min: 1, max: 200_000 }),
    seed: fc.integer(),
    cuts: fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 8 }),
    turn: fc.nat(),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ size, seed, cuts, turn, at }) => {
    const bytes = Uint8Array.from({ length: size }, (_, each) => (each * 31 + (each >> 8) * 7 + seed) & 0xff);
    const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < size), size])].sort((a, b) => a - b);
    const pieces = ends.map((end, each) => ({ start: ends[each - 1] ?? 0, end }));
    const first = turn % pieces.length;
    return { bytes, pieces: [...pieces.slice(first), ...pieces.slice(0, first)], offset: Math.floor(size * at) };
  });
