import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { verified } from '../../test/contracts/blob-store-fixtures.ts';
import { addBlob, app, store as cached } from '../../test/contracts/index-fixtures.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { overTime } from '../../test/support/over-time.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Index } from '../index/contract.ts';
import { openSqliteIndex } from '../index/sqlite/index.ts';
import type { Event } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import type { Digest } from '../oci/digest.ts';
import { parseIngestName } from '../store/blob-store.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { storeFailure } from '../store/failure.ts';
import { openFilesystemStore } from '../store/filesystem/store.ts';
import { thisProcess } from './holder.ts';
import { Scrub } from './scrub.ts';

interface Scene extends AsyncDisposable {
  readonly index: Index;
  readonly store: BlobStore;
  readonly events: readonly Event[];
  /** Blobs that cannot be opened now, for want of file descriptors. */
  readonly shut: Set<Digest>;
  /** Content rests under a digest, be it its own or not. */
  rest(digest: Digest, content: string, whose: 'pushed' | 'cached'): Promise<void>;
  round(): Promise<void>;
  quarantined(): Promise<readonly string[]>;
}

async function scene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await TempDir.make());
  const index = stack.use(await openSqliteIndex({ path: dir.join('index.db') }));
  const store = await openFilesystemStore({ root: dir.join('store') });
  const [clock, events, shut] = [new FakeClock(), [] as Event[], new Set<Digest>()];
  const emfile = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  const find = store.find.bind(store);
  const faulty = Object.assign(store, {
    find: async (digest: Digest) => {
      const blob = await find(digest);
      const refuse = (): Promise<never> => Promise.reject(storeFailure('opening a blob', emfile));
      return blob !== undefined && shut.has(digest) ? { ...blob, open: refuse } : blob;
    },
  });
  const observer = { emit: (event: Event) => void events.push(event) };
  const scrub = new Scrub({ store: faulty, index, clock, observer, holder: thisProcess(), refetch: async () => {} });
  const owned = stack.move();
  return {
    index,
    store,
    events,
    shut,
    rest: async (digest, content, whose) => {
      const bytes = Buffer.from(content);
      await using ingest = await store.ingest(parseIngestName(digest.replace(':', '-')), 'new');
      await ingest.write(bytes, 0);
      await ingest.commit(verified(bytes, digest));
      const blob = { digest, size: bytes.length, mediaType: 'application/octet-stream' };
      await (whose === 'pushed' ? addBlob(index, app, blob) : cached(index, blob, 1));
    },
    round: () => overTime(clock, scrub.round(new AbortController().signal)),
    quarantined: () => readdir(dir.join('store/entrepot/quarantine')),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe('a scrub', () => {
  test('leaves alone what it cannot read now, tells of it, and looks at all else', async () => {
    await using at = await scene();
    const [first, second, last] = ['one', 'two', 'three'].map((content) => digestOf(content)).sort();
    assert.ok(first && second && last);
    for (const digest of [first, second, last]) await at.rest(digest, 'rotten', 'pushed');
    at.shut.add(first).add(second);
    await assert.rejects(at.round(), ({ message }: Error) => {
      assert.match(message, /^2 could not be read or fetched again, first sha256:.*EMFILE: raise the limit/);
      return message.includes(first);
    });
    assert.ok(await at.store.find(first));
    assert.equal(await at.index.blobs.stored(first), 'rotten'.length);
    assert.deepEqual(
      at.events.map((event) => event.type === 'cache.quarantined' && event.digest),
      [last],
    );
    at.shut.clear();
    await at.round();
    assert.equal((await at.quarantined()).length, 3);
  });

  test('keeps all that was pushed and is damaged for a look; of what can be fetched again only some', async () => {
    await using at = await scene();
    const pushed = Array.from({ length: 18 }, (_, each) => digestOf(`pushed ${each}`));
    for (const digest of pushed) await at.rest(digest, 'rotten', 'pushed');
    await at.round();
    await at.rest(digestOf('cached'), 'rotten', 'cached');
    await at.round();
    assert.equal(await at.store.find(digestOf('cached')), undefined);
    assert.deepEqual((await at.quarantined()).toSorted(), pushed.map((digest) => digest.replace(':', '-')).sort());
  });
});
