/**
 * Every arrow of a push, broken: the client's connection, the server's life, the store.
 */
import assert from 'node:assert/strict';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { openRequest, push, pushBlob, receivedBytes, startUpload, untilReceived, withDigest } from '../support/push.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';
import { failSync, failWrites } from './broken-disk.ts';
import { Random } from './random.ts';

const image = makeImage({ seed: 'pushed', layers: [200_000, 3_000] });
const blob = makeBlob(3_000_000, 'broken off');
const bytes = blob.bytes();

describe('the connection of who pushes', () => {
  test('may break wherever it likes, again and again', async () => {
    const random = new Random();
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    await random.tell(async () => {
      for (let received = 0; received < bytes.length; received = await settled(location)) {
        const sending = openRequest(location, 'PATCH', { 'Content-Range': `${received}-${bytes.length - 1}` });
        const end = Math.min(bytes.length, received + 1 + random.below(600_000));
        await sending.write(bytes.subarray(received, end));
        if (end - received > 200_000) await untilReceived(location, received + 1);
        if (end === bytes.length) sending.end();
        else sending.abort();
        if (end === bytes.length) await sending.answer;
      }
      assert.equal((await get(withDigest(location, blob.digest), { method: 'PUT' })).status, 201);
    });
    assert.deepEqual((await get(`${url}/blobs/${blob.digest}`)).body, bytes);
  });
});

/** How much it has once nobody writes to it any more: an empty piece is taken only then. */
async function settled(location: string): Promise<number> {
  for (;;) {
    const { status } = await get(location, { method: 'PATCH' });
    if (status === 202) return receivedBytes(location);
    assert.equal(status, 409);
  }
}

describe('a server that is killed', () => {
  test('in the middle of a push goes on with it', async () => {
    await using dir = await TempDir.make();
    let location: string;
    let port: number;
    {
      await using server = await ServerProcess.start({ directory: dir.path });
      ({ port } = server);
      location = await startUpload(`${server.origin}/v2/local/app`);
      assert.equal((await get(location, { method: 'PATCH', body: bytes.subarray(0, 1_000_000) })).status, 202);
      const sending = openRequest(location, 'PATCH');
      await sending.write(bytes.subarray(1_000_000, 2_000_000));
      await untilReceived(location, 1_000_001);
      sending.answer.catch(() => {});
      await server.kill();
    }
    await using server = await ServerProcess.start({ directory: dir.path, port });
    const received = await receivedBytes(location);
    assert.ok(received >= 1_000_000, 'what was answered for is there');
    const rest = await get(withDigest(location, blob.digest), { method: 'PUT', body: bytes.subarray(received) });
    assert.equal(rest.status, 201, rest.body.toString());
    assert.deepEqual((await get(`${server.origin}/v2/local/app/blobs/${blob.digest}`)).body, bytes);
  });

  test('right after it has acknowledged a push has it', async () => {
    await using dir = await TempDir.make();
    let port: number;
    {
      await using server = await ServerProcess.start({ directory: dir.path });
      ({ port } = server);
      await push(server.origin, 'app', '1', image);
      await server.kill();
    }
    await using server = await ServerProcess.start({ directory: dir.path, port });
    assert.equal((await pull(server.origin, 'app', '1')).digest, image.digest);
  });

  test('and has lost its index still knows which names are its own, and what they hold', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/app:1', makeImage({ seed: 'somebody else' }));
    hub.forbid();
    await using dir = await TempDir.make();
    {
      await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, directory: dir.path });
      await push(entrepot.origin, 'app', '1', image);
    }
    for (const name of ['index.db', 'index.db-wal', 'index.db-shm']) {
      await rm(join(dir.path, 'registry/entrepot', name), { force: true });
    }
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, directory: dir.path });
    assert.equal((await get(`${entrepot.origin}/v2/app/manifests/2`)).status, 404);
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, image.digest);
    hub.assertUntouched();
  });
});

describe('an upstream that swallows every packet', () => {
  test('is nothing to who pushes, not even to one who looks for the manifest first (zot#3522)', async () => {
    await using hub = await CountingUpstream.start();
    hub.blackhole();
    const keys = { timeouts: { connect: '200ms', headers: '200ms' } };
    const config = { upstreams: { 'docker.io': keys } };
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config });
    const manifest = `${entrepot.origin}/v2/app/manifests/1`;
    assert.equal((await get(manifest, { method: 'HEAD' })).status, 404);
    await push(entrepot.origin, 'app', '1', image);
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, image.digest);
  });
});

describe('a store that fails', () => {
  test('on a hosted blob is a 503, and no upstream is asked instead (nora#911)', async () => {
    await using hub = await forbiddingHub();
    await using entrepot = await hosting(hub);
    const hex = image.config.digest.slice('sha256:'.length);
    const data = join(entrepot.storeDirectory, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    await rm(data);
    await mkdir(dirname(data), { recursive: true });
    await symlink(data, data);
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(`${entrepot.origin}/v2/app/blobs/${image.config.digest}`, { method });
      assert.equal(answer.status, 503);
    }
    hub.assertUntouched();
  });

  test('to tell where a pushed tag points is a 503, and no upstream is asked instead (nora#911)', async () => {
    await using hub = await forbiddingHub();
    await using entrepot = await hosting(hub);
    using index = new DatabaseSync(join(entrepot.storeDirectory, 'entrepot/index.db'), { timeout: 60_000 });
    index.exec('ALTER TABLE tags RENAME TO away');
    for (const method of ['GET', 'HEAD']) {
      assert.equal((await get(`${entrepot.origin}/v2/app/manifests/1`, { method })).status, 503);
    }
    index.exec('ALTER TABLE away RENAME TO tags');
    assert.equal((await pull(entrepot.origin, 'app', '1')).digest, image.digest);
    hub.assertUntouched();
  });

  test('to write or to sync costs the push, which can be repeated', async (t) => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    for (const fail of [() => failWrites(t, 'ENOSPC', 1_000_000), () => failSync(t, 'EIO')]) {
      {
        using _ = fail();
        const answer = await get(withDigest(await startUpload(url), blob.digest), { method: 'PUT', body: bytes });
        assert.equal(answer.status, 503);
      }
      assert.equal((await get(`${url}/blobs/${blob.digest}`, { method: 'HEAD' })).status, 404);
      assert.deepEqual(await readdir(join(entrepot.storeDirectory, 'entrepot/ingest')), []);
    }
    const told = entrepot.told('store.failed').map(({ operation, code }) => `${operation} ${code}`);
    assert.deepEqual(told, ['push ENOSPC', 'push EIO']);
    await pushBlob(url, blob);
    assert.deepEqual((await get(`${url}/blobs/${blob.digest}`)).body, bytes);
  });
});

/** It has the image as well, and lets nobody have it. */
async function forbiddingHub(): Promise<CountingUpstream> {
  const hub = await CountingUpstream.start();
  hub.publish('library/app:1', image);
  hub.forbid();
  return hub;
}

/** The image was pushed here. */
async function hosting(hub: CountingUpstream): Promise<Entrepot> {
  const entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
  await push(entrepot.origin, 'app', '1', image);
  return entrepot;
}
