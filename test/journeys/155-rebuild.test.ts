/**
 * The index is lost, or damaged, and made anew from the volume.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { openSqliteIndex } from '../../src/index/sqlite/index.ts';
import { systemClock } from '../../src/observe/clock.ts';
import { silent } from '../../src/observe/events.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import { parseRepositoryName, parseTag } from '../../src/oci/reference.ts';
import { rebuildIndex } from '../../src/rebuild.ts';
import type { Rebuilt } from '../../src/rebuild.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { pull } from '../support/pull.ts';
import { push } from '../support/push.ts';

const ours = makeImage({ seed: 'ours' });
const cached = makeImage({ seed: 'cached' });

async function rebuild({ configFile }: Entrepot): Promise<Rebuilt> {
  const loaded = await loadConfig({ path: configFile, env: {} });
  return rebuildIndex(loaded, { observer: silent, clock: systemClock, env: {} });
}

function indexOf({ storeDirectory }: Entrepot): string {
  return join(storeDirectory, 'entrepot/index.db');
}

describe('rebuild', () => {
  test('brings back what was pushed, and what was cached is not fetched twice', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/cached:1', cached);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    await push(entrepot.origin, 'app', '1', ours);
    await pull(entrepot.origin, 'library/cached', '1');
    await entrepot.stored(cached.blobs.length);
    await entrepot.stop();
    await writeFile(indexOf(entrepot), 'no database at all');
    const { before, unread, found } = await rebuild(entrepot);
    assert.equal(unread, `the index ${indexOf(entrepot)} failed (file is not a database)`);
    assert.equal(before, `${indexOf(entrepot)}.before-rebuild`);
    assert.equal((await readFile(before)).toString(), 'no database at all');
    assert.deepEqual([found.state, found.repositories, found.manifests], ['done', 1, 1]);
    await entrepot.restart();
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, ours.digest);
    hub.reset();
    assert.equal((await pull(entrepot.origin, 'library/cached', '1')).digest, cached.digest);
    for (const { digest } of cached.blobs) assert.equal(hub.blobBytes(digest).sent, 0);
  });

  test('loses nothing that the index before knows and the volume does not yet', async () => {
    await using entrepot = await Entrepot.start();
    await push(entrepot.origin, 'app', '1', ours);
    await entrepot.admin('POST /v1/pin', { image: 'docker.io/library/redis:7' });
    await entrepot.stop();
    {
      await using index = await openSqliteIndex({ path: indexOf(entrepot) });
      const key = { upstream: undefined, name: parseRepositoryName('app') };
      const held = await index.manifests.find(key, parseDigest(ours.digest));
      assert.ok(held);
      const manifest = { ...held, children: [], subject: undefined, artifactType: undefined, annotations: undefined };
      const tags = [parseTag('acknowledged')];
      await index.hosted.put(key, manifest, { tags, isImmutable: () => false, sparse: true, atMs: 1 });
    }
    assert.equal((await rebuild(entrepot)).unread, undefined);
    await entrepot.restart();
    assert.equal((await pull(entrepot.origin, 'app', 'acknowledged')).digest, ours.digest);
    assert.match(String((await entrepot.admin('GET /v1/pins')).body), /library\/redis:7/);
  });

  test('keeps every index that was there before, and says which of them it could not read', async () => {
    await using entrepot = await Entrepot.start();
    await push(entrepot.origin, 'app', '1', ours);
    await entrepot.stop();
    const path = indexOf(entrepot);
    {
      using newer = new DatabaseSync(path);
      newer.exec('PRAGMA user_version = 999');
    }
    const first = await rebuild(entrepot);
    assert.match(first.unread ?? '', /has schema version 999, and this entrepot knows versions up to \d+$/);
    await writeFile(path, 'no database at all');
    const second = await rebuild(entrepot);
    const third = await rebuild(entrepot);
    const all = [first, second, third].map(({ before }) => before);
    assert.deepEqual(all, [`${path}.before-rebuild`, `${path}.before-rebuild.2`, `${path}.before-rebuild.3`]);
    assert.equal((await readFile(`${path}.before-rebuild.2`)).toString(), 'no database at all');
    await entrepot.restart();
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, ours.digest);
  });

  test('is refused while a server runs on the index', async () => {
    await using entrepot = await Entrepot.start();
    await push(entrepot.origin, 'app', '1', ours);
    await assert.rejects(rebuild(entrepot), {
      message: `a running entrepot uses the index ${indexOf(entrepot)}: stop it first, then try again`,
    });
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, ours.digest);
  });

  test('of an index that is in memory says that there is none', async () => {
    await using entrepot = await Entrepot.start({ config: { storage: 'inmemory' } });
    await assert.rejects(rebuild(entrepot), /in memory alone/);
  });
});
