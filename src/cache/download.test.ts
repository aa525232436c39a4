import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeBlob } from '../../test/support/blobs.ts';
import { withheldBytes } from '../bytes/growth.ts';
import type { Index } from '../index/contract.ts';
import type { Event } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobStore, Ingest } from '../store/blob-store.ts';
import { createMemoryStore } from '../store/memory/store.ts';
import { Download } from './download.ts';
import type { DownloadContext } from './download.ts';
import { readerOf } from './download-reader.ts';
import { thisProcess } from './holder.ts';
import { overTime, PlayLeases, PlayUpstream } from './testing.ts';
import type { Manners } from './testing.ts';

const content = makeBlob(500_000, 'download').bytes();
const digest = digestOf(content);
const full = new RegistryError('UNAVAILABLE', 'ENOSPC', { origin: 'store', detail: { code: 'ENOSPC' } });

/** What the store does wrong: some of an ingest's methods instead of its own. */
type Faults = (ingest: Ingest) => Partial<Pick<Ingest, 'write' | 'commit' | typeof Symbol.asyncDispose>>;

function storeWith(faults: Faults): BlobStore {
  const store = createMemoryStore({ bytesMax: 1024 ** 3 });
  const spoil = (ingest: Ingest | undefined): Ingest | undefined => {
    if (ingest !== undefined) Object.assign(ingest, faults(ingest));
    return ingest;
  };
  const begin = store.ingest.bind(store) as (name: never, mode: never) => Promise<Ingest | undefined>;
  return Object.assign(store, { ingest: async (name: never, mode: never) => spoil(await begin(name, mode)) });
}

function setUp(
  faults: Faults = () => ({}),
  manners?: (nth: number) => Manners,
  expected?: number,
  makeRoom: DownloadContext['makeRoom'] = async () => ({ [Symbol.dispose]: () => {} }),
) {
  const [clock, leases, store] = [new FakeClock(), new PlayLeases(), storeWith(faults)];
  const upstream = new PlayUpstream(content, manners);
  const events: Event[] = [];
  const blobs = { stored: async () => undefined, store: async () => true, addMember: async () => {} };
  const download = new Download(digest, upstream.source(), expected, {
    store,
    index: { leases, blobs } as Partial<Record<keyof Index, unknown>> as Index,
    clock,
    observer: { emit: (event) => events.push(event) },
    holder: thisProcess(),
    makeRoom,
    publishMs: () => 50,
    onLie: () => {},
    onUnkept: () => {},
  });
  const leaseIsFree = (): boolean => [...leases.views.values()].every(({ expiresAtMs }) => expiresAtMs === 0);
  return { clock, store, upstream, events, download, leaseIsFree };
}

/** Reads it to its end as somebody does who must not complete a bad body. */
async function readAll(download: Download, size: number): Promise<Buffer> {
  await using source = await readerOf(download, size).open({ verified: true });
  const bytes = Buffer.alloc(size);
  for (let position = 0; position < size;) {
    const length = await source.read(bytes.subarray(position), position);
    if (length === 0) return bytes.subarray(0, position);
    position += length;
  }
  return bytes;
}

async function readOpened(download: Download): Promise<Buffer> {
  const size = await download.opened;
  assert.ok(size !== undefined);
  return readAll(download, size);
}

describe('a download', () => {
  test('is served while it arrives, and stored', async () => {
    const { clock, store, upstream, download, leaseIsFree } = setUp();
    const reading = readOpened(download);
    await overTime(clock, download.run());
    assert.ok((await reading).equals(content));
    assert.equal(download.phase.kind, 'stored');
    assert.equal((await store.find(digest))?.size, content.length);
    assert.equal(upstream.sentBytes, content.length);
    assert.ok(leaseIsFree());
  });

  test('is lent from memory to a crowd of readers, but for the end that is not verified yet', async () => {
    const { clock, download } = setUp();
    let lentBytes = 0;
    const read = async (): Promise<Buffer> => {
      const size = await download.opened;
      assert.ok(size !== undefined);
      await using source = await readerOf(download, size).open({ verified: true });
      const bytes = Buffer.alloc(size);
      for (let position = 0; position < size;) {
        const lent = source.lend?.(position, size);
        if (lent !== undefined) {
          bytes.set(lent.bytes, position);
          position += lent.bytes.length;
          lentBytes += lent.bytes.length;
          lent.letGo();
          if (download.phase.kind === 'growing') assert.ok(position <= size - withheldBytes);
        } else position += await source.read(bytes.subarray(position), position);
      }
      return bytes;
    };
    const readings = Promise.all(Array.from({ length: 8 }, read));
    await overTime(clock, download.run());
    for (const bytes of await overTime(clock, readings)) assert.ok(bytes.equals(content));
    assert.ok(lentBytes > 0);
  });

  test('that cannot be written is served all the same', async () => {
    let written = 0;
    const faults: Faults = (ingest) => {
      const write = ingest.write.bind(ingest);
      return {
        write: async (bytes, position) => {
          written += bytes.length;
          if (written > 200_000) throw full;
          await write(bytes, position);
        },
      };
    };
    const { clock, store, events, download, leaseIsFree } = setUp(faults);
    const reading = readOpened(download);
    await overTime(clock, download.run());
    assert.ok((await overTime(clock, reading)).equals(content));
    assert.equal(await store.find(digest), undefined);
    assert.deepEqual(
      events.filter(({ type }) => type === 'store.failed').map((event) => ('code' in event ? event.code : '')),
      ['ENOSPC'],
    );
    assert.ok(leaseIsFree());
  });

  test('that cannot be committed is served to its end from what was written', async () => {
    const faults: Faults = () => ({
      commit: async () => {
        throw full;
      },
    });
    const { clock, upstream, download } = setUp(faults);
    const reading = readOpened(download);
    await overTime(clock, download.run());
    assert.ok((await overTime(clock, reading)).equals(content));
    assert.equal(upstream.sentBytes, content.length, 'every byte was fetched once');
  });

  test('of unknown size that cannot be written fails at once, and leaves nobody waiting', async () => {
    const faults: Faults = () => ({
      write: async () => {
        throw full;
      },
    });
    const { clock, download, leaseIsFree } = setUp(faults, () => ({ hidesSize: true, ignoresRange: true }));
    const failed = assert.rejects(download.opened, full);
    await overTime(clock, download.run());
    await failed;
    assert.ok(leaseIsFree());
  });

  test('of nothing that should be something is refused before anybody is served', async () => {
    for (const hidesSize of [false, true]) {
      const manners = (): Manners => ({ content: Buffer.alloc(0), ignoresRange: true, hidesSize });
      const { clock, download, leaseIsFree } = setUp(undefined, manners);
      const failed = assert.rejects(download.opened, { code: 'UPSTREAM_INVALID' });
      await overTime(clock, download.run());
      await failed;
      assert.ok(leaseIsFree());
    }
  });

  test('that is not what its digest says is never completed, and the upstream is blamed', async () => {
    const wrong = Buffer.from(content);
    wrong[0] = (wrong[0] ?? 0) ^ 1;
    const { clock, store, events, download } = setUp(undefined, () => ({ content: wrong }));
    const failed = assert.rejects(readOpened(download), { code: 'UPSTREAM_INVALID' });
    await overTime(clock, download.run());
    await failed;
    assert.equal(await store.find(digest), undefined);
    assert.equal(events.filter(({ type }) => type === 'upstream.lied').length, 1);
  });

  test('whose file can neither be written nor deleted is served, and ends in good order', async () => {
    const broken = async (): Promise<never> => {
      throw full;
    };
    const { clock, events, download } = setUp(() => ({ write: broken, [Symbol.asyncDispose]: broken }));
    const reading = readOpened(download);
    await overTime(clock, download.run());
    assert.ok((await overTime(clock, reading)).equals(content));
    const failed = events.filter(({ type }) => type === 'store.failed');
    assert.deepEqual(
      failed.map((event) => 'operation' in event && event.operation),
      ['write', 'discard'],
    );
  });

  test('is served although the index cannot say whether there is room', async () => {
    const locked = new RegistryError('UNAVAILABLE', 'SQLITE_BUSY', { origin: 'index' });
    const { clock, download, leaseIsFree } = setUp(undefined, undefined, undefined, async () => {
      throw locked;
    });
    const reading = readOpened(download);
    await overTime(clock, download.run());
    assert.ok((await overTime(clock, reading)).equals(content));
    assert.ok(leaseIsFree());
  });

  test('that is suspended before it has begun asks nobody any more', async () => {
    const { clock, store, upstream, download, leaseIsFree } = setUp(undefined, () => ({ hangs: true }));
    const looking = Promise.withResolvers<undefined>();
    store.find = () => looking.promise;
    const running = download.run();
    await clock.advance(50);
    download.suspend();
    looking.resolve(undefined);
    await overTime(clock, running);
    assert.equal(download.phase.kind, 'failed');
    assert.deepEqual(upstream.asked, []);
    assert.ok(leaseIsFree());
  });
});

describe('a reader of a download', () => {
  test('who has left while he waited asks the upstream for nothing more when the store fails', async () => {
    const failing = Promise.withResolvers<void>();
    const writing = Promise.withResolvers<void>();
    const write = (): Promise<void> => {
      writing.resolve();
      return failing.promise;
    };
    const { clock, upstream, download } = setUp(() => ({ write }));
    const running = download.run();
    await overTime(clock, download.opened);
    const source = await readerOf(download, content.length).open({ verified: false });
    const reading = assert.rejects(source.read(Buffer.alloc(10), 400_000), /has left/);
    await source[Symbol.asyncDispose]();
    await writing.promise;
    failing.reject(full);
    await overTime(clock, running);
    await reading;
    assert.equal(download.phase.kind, 'unstored');
    assert.equal(upstream.requests.length, 1);
  });

  test('who has left while the stored blob was being opened leaves no file open', async () => {
    const opening = Promise.withResolvers<void>();
    let open = 0;
    const faults: Faults = (ingest) => {
      const commit = ingest.commit.bind(ingest);
      return {
        commit: async (verified) => ({
          ...(await commit(verified)),
          open: async () => {
            await opening.promise;
            open += 1;
            return { read: async () => 1, [Symbol.asyncDispose]: async () => void (open -= 1) };
          },
        }),
      };
    };
    const { clock, download } = setUp(faults);
    await overTime(clock, download.run());
    const source = await readerOf(download, content.length).open({ verified: true });
    const reading = source.read(Buffer.alloc(10), 0);
    await source[Symbol.asyncDispose]();
    opening.resolve();
    await reading;
    assert.equal(open, 0);
  });

  test('who was told a larger size than there is fails where the content ends', async () => {
    const { clock, download } = setUp();
    await overTime(clock, download.run());
    await using source = await readerOf(download, content.length + 10).open({ verified: true });
    await assert.rejects(source.read(Buffer.alloc(10), content.length), { code: 'UNAVAILABLE', origin: 'store' });
  });
});
