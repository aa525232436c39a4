/**
 * Somebody stops `registry:2`, and starts this server with its configuration and its volume.
 */
import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import type { EntrepotOptions } from '../support/entrepot.ts';
import { makeImage, makeIndex } from '../support/images.ts';
import { readLinkTree } from '../support/link-tree.ts';
import { pull } from '../support/pull.ts';
import { push } from '../support/push.ts';
import { RegistryVolume } from '../support/registry-volume.ts';
import { TempDir } from '../support/temp-dir.ts';

const theirs = makeImage({ seed: 'pushed to registry:2', mediaTypes: 'docker' });
const ours = makeImage({ seed: 'pushed to this server' });
const both = makeIndex([theirs, ours]);

/** A volume, and what it takes to start servers on it one after the other. */
async function volumeIn(dir: TempDir): Promise<RegistryVolume> {
  const root = dir.join('registry');
  await mkdir(root);
  return new RegistryVolume(root);
}

function serve(dir: TempDir, options: EntrepotOptions = {}): Promise<Entrepot> {
  return Entrepot.start({ directory: dir.path, registryMode: true, ...options });
}

async function adopted(entrepot: Entrepot): Promise<void> {
  await entrepot.until('adoption.progress', ({ state }) => state === 'done');
}

describe('a volume of registry:2', () => {
  test('is served from the first request on, byte for byte, and pushed to', async () => {
    await using dir = await TempDir.make();
    const volume = await volumeIn(dir);
    await volume.push('team/app', '1', theirs);
    await using entrepot = await serve(dir);
    assert.equal((await pull(entrepot.origin, 'team/app', '1')).digest, theirs.digest);
    const url = `${entrepot.origin}/v2/team/app`;
    assert.deepEqual((await get(`${url}/manifests/1`)).body, theirs.bytes);
    assert.equal((await get(`${url}/manifests/2`)).status, 404);
    await push(entrepot.origin, 'team/app', '2', ours);
    await push(entrepot.origin, 'team/app', 'both', both);
    await entrepot.stop();
    const linked = (await readLinkTree(volume.root))['team/app'];
    assert.deepEqual(linked?.tags, { 1: theirs.digest, 2: ours.digest, both: both.digest });
    assert.deepEqual(linked?.manifests, [theirs.digest, ours.digest, both.digest].sort());
    const blobs = [...theirs.blobs, ...ours.blobs].map(({ digest }) => digest);
    assert.deepEqual(linked?.layers, [...new Set(blobs)].sort());
  });

  test('is as registry:2 left it, whatever was pushed and deleted there in between', async () => {
    await using dir = await TempDir.make();
    const volume = await volumeIn(dir);
    await using entrepot = await serve(dir);
    await push(entrepot.origin, 'app', '1', ours);
    await push(entrepot.origin, 'app', '2', ours);
    await entrepot.stop();
    await volume.push('app', '3', theirs);
    await volume.dropTag('app', '2');
    await entrepot.restart();
    const url = `${entrepot.origin}/v2/app/manifests`;
    assert.equal((await get(`${url}/2`)).status, 404);
    assert.deepEqual((await get(`${url}/3`)).body, theirs.bytes);
    assert.deepEqual((await get(`${url}/1`)).body, ours.bytes);
    await adopted(entrepot);
    assert.deepEqual(JSON.parse((await get(`${entrepot.origin}/v2/app/tags/list`)).body.toString()).tags, ['1', '3']);
  });

  test('is all that a lost index needs: everything pushed is served again, and no name is anybody else’s (zot#4061)', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/app:1', makeImage({ seed: 'somebody else’s' }));
    hub.forbid();
    await using dir = await TempDir.make();
    await using entrepot = await serve(dir, { registryMode: false, upstreams: { 'docker.io': hub } });
    await push(entrepot.origin, 'app', '1', ours);
    await push(entrepot.origin, 'local/team/app', 'both', both);
    await entrepot.stop();
    for (const name of ['index.db', 'index.db-wal', 'index.db-shm']) {
      await rm(join(dir.path, 'registry/entrepot', name), { force: true });
    }
    await rm(join(dir.path, 'registry/entrepot/claims'), { recursive: true });
    await entrepot.restart();
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, ours.digest);
    assert.equal(
      (await pull(entrepot.origin, 'local/team/app', 'both', { platform: 'linux/amd64' })).digest,
      both.digest,
    );
    assert.equal((await get(`${entrepot.origin}/v2/app/manifests/nothing`)).status, 404);
    hub.assertUntouched();
  });

  test('shows how far it was read', async () => {
    await using dir = await TempDir.make();
    await (await volumeIn(dir)).push('app', '1', theirs);
    await using entrepot = await serve(dir);
    await adopted(entrepot);
    const statistics = JSON.parse((await entrepot.admin('GET /v1/statistics')).body.toString());
    assert.deepEqual(statistics.adoption, {
      state: 'done',
      repositories: 1,
      manifests: 1,
      blobs: theirs.blobs.length,
      dangling: 0,
      troubles: 0,
    });
  });
});

describe('the volume of a pull-through registry:2', () => {
  test('is a warm cache of its upstream: one question a tag, and none while the upstream is away', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/app:1', theirs);
    await using dir = await TempDir.make();
    const volume = await volumeIn(dir);
    await volume.push('library/app', '1', theirs);
    await volume.write('scheduler-state.json', '{}');
    const config = { proxy: { remoteurl: hub.origin } };
    await using entrepot = await serve(dir, { config });
    assert.equal((await pull(entrepot.origin, 'library/app', '1')).digest, theirs.digest);
    assert.equal(hub.count({ path: '/manifests/' }), 1);
    for (const { digest } of theirs.blobs) assert.equal(hub.blobBytes(digest).sent, 0);
    await hub.down();
    await entrepot.restart();
    assert.equal((await pull(entrepot.origin, 'library/app', '1')).digest, theirs.digest);
  });
});
