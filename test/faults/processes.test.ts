/** Processes that share a store, and end between two instructions. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { drain, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { makeBlob } from '../support/images.ts';
import type { Content } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { TempDir } from '../support/temp-dir.ts';
import { assertPiece, assertRefused, assertWhole, becomes, keptIn, mib, unfinishedIn, urlOf } from './world.ts';

/** What may be lost by a kill: what arrived since it was last told of, some milliseconds of a local transfer. */
const untoldBytesMax = mib;

describe('two processes over one store', () => {
  test('fetch a blob once; when the one that does is killed, the other goes on, and its clients notice nothing', async () => {
    await using upstream = await CountingUpstream.start();
    await using dir = await TempDir.make();
    const start = (name: string): Promise<ServerProcess> => startServer(dir, name, upstream);
    const [fetching, following] = await Promise.all([start('a'), start('b')]);
    await using _fetching = fetching;
    await using _following = following;

    const shared = publish(upstream, 'shared');
    const clients = await Promise.all([fetching, following].map(({ origin }) => drain(urlOf(origin, shared))));
    for (const client of clients) assertWhole(client, shared);
    assert.equal(upstream.count({ method: 'GET' }), 1);
    assert.equal(upstream.blobBytes(shared.digest).sent, shared.size);

    const orphaned = publish(upstream, 'orphaned');
    const gate = upstream.gate({ path: orphaned.digest, times: 1 }, { at: 3 * mib });
    const ours = drain(urlOf(fetching.origin, orphaned));
    await gate.arrived();
    using theirs = await open(urlOf(following.origin, orphaned));
    assertPiece(await theirs.read(2 * mib), orphaned);
    await fetching.kill();
    assertRefused(await ours);
    assertPiece(await theirs.rest(), orphaned, 2 * mib);
    const { sent, distinct } = upstream.blobBytes(orphaned.digest);
    assert.equal(distinct, orphaned.size);
    assert.ok(sent - distinct <= untoldBytesMax, `${sent - distinct} bytes were sent twice`);
    await becomes([orphaned.digest, shared.digest].toSorted(), () => keptIn(dir.join('store')));
    await becomes([], () => unfinishedIn(dir.join('store')));
  });
});

describe('a process that is started again', () => {
  for (const how of ['stop', 'kill'] as const) {
    test(`after a ${how} asks for what is missing of a blob, and for nothing else`, async () => {
      await using upstream = await CountingUpstream.start();
      await using dir = await TempDir.make();
      const blob = publish(upstream, how);
      const gate = upstream.gate({ path: blob.digest, times: 1 }, { at: 3 * mib });
      {
        await using first = await startServer(dir, 'a', upstream);
        using client = await open(urlOf(first.origin, blob));
        await gate.arrived();
        await client.read(3 * mib);
        await becomes(3 * mib, async () => toldBytes(dir, blob));
        await first[how]();
        await assert.rejects(client.rest());
      }
      await using second = await startServer(dir, 'a', upstream);
      assertWhole(await drain(urlOf(second.origin, blob)), blob);
      const { sent, distinct } = upstream.blobBytes(blob.digest);
      assert.equal(distinct, blob.size);
      assert.equal(sent, distinct, 'no byte is asked for twice that was told of');
      assert.match(upstream.ledger.matching({ path: blob.digest }).at(-1)?.range ?? '', /^bytes=[1-9]\d*-/);
      await becomes([blob.digest], () => keptIn(dir.join('store')));
      await becomes([], () => unfinishedIn(dir.join('store')));
    });
  }
});

/** How far the process has told that it has come. */
function toldBytes(dir: TempDir, { digest }: Content): number {
  using database = new DatabaseSync(dir.join('store/entrepot/index.db'), { readOnly: true, timeout: 60_000 });
  const row = database.prepare('SELECT state FROM leases WHERE key = ?').get(`blob:${digest}`);
  const state = JSON.parse(String(row?.['state'] || '{}')) as { readonly extents?: readonly (readonly number[])[] };
  return state.extents?.at(-1)?.[1] ?? 0;
}

function publish(upstream: CountingUpstream, name: string): Content {
  const blob = makeBlob(4 * mib + 321, name);
  upstream.publishBlob('library/redis', blob);
  return blob;
}

function startServer(dir: TempDir, name: string, upstream: CountingUpstream): Promise<ServerProcess> {
  return ServerProcess.start({
    directory: dir.join(name),
    config: {
      http: { debug: { addr: '127.0.0.1:0' }, draintimeout: '0s' },
      storage: { filesystem: { rootdirectory: dir.join('store') } },
      admin: { socket: dir.join(`${name}.sock`) },
      upstreams: { 'docker.io': { url: upstream.origin, dial: ['127.0.0.1'] } },
    },
  });
}
