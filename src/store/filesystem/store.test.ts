import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { blobStoreContract } from '../../../test/contracts/blob-store.ts';
import type { StoreUnderTest } from '../../../test/contracts/blob-store-fixtures.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import type { Verified } from '../../bytes/assembly.ts';
import { systemClock } from '../../observe/clock.ts';
import type { BlobReader } from '../../oci/blob.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseIngestName } from '../blob-store.ts';
import type { BlobStore } from '../blob-store.ts';
import { OpenFile } from './open-file.ts';
import { PromptReads, readWatch } from './prompt-reads.ts';
import { openFilesystemStore } from './store.ts';

const blobs = 'docker/registry/v2/blobs';
const hello = Buffer.from('hello, entrepot');
const digest = digestOf(hello);
const helloPath = `${blobs}/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/data`;

blobStoreContract('the file system', makeStore, ['quarantine', 'damage']);

async function makeStore(): Promise<StoreUnderTest> {
  const dir = await TempDir.make();
  const pathOf = (lost: Digest): string => dir.join(blobs, 'sha256', hexOf(lost).slice(0, 2), hexOf(lost), 'data');
  return {
    store: await openFilesystemStore({ root: dir.path }),
    second: () => openFilesystemStore({ root: dir.path }),
    damage: {
      truncate: (lost, size) => truncate(pathOf(lost), size),
      remove: (lost) => rm(pathOf(lost)),
      litter: () => litter(dir),
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

describe('a store of files', () => {
  test('puts blobs where registry:2 puts them, and leaves no other file', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.join('var', 'lib') });
    await put(store, hello);
    assert.deepEqual(await dir.files(), [`var/lib/${helloPath}`]);
    assert.deepEqual(await readFile(dir.join('var', 'lib', helloPath)), hello);
  });

  test('finds blobs that registry:2 has written', async () => {
    await using dir = await TempDir.make();
    await mkdir(dir.join(helloPath, '..'), { recursive: true });
    await writeFile(dir.join(helloPath), hello);
    const store = await openFilesystemStore({ root: dir.path });
    assert.equal((await store.find(digest))?.size, hello.length);
  });

  test('keeps what is not public in a directory for the owner alone', async () => {
    await using dir = await TempDir.make();
    await openFilesystemStore({ root: dir.path });
    assert.equal((await stat(dir.join('entrepot'))).mode & 0o777, 0o700);
    assert.equal((await stat(dir.join('entrepot/ingest'))).mode & 0o777, 0o700);
  });

  test('leaves no directory behind when a blob is deleted', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await put(store, hello);
    await store.delete(digest);
    await assert.rejects(stat(dir.join(helloPath, '..')), { code: 'ENOENT' });
  });

  test('goes on when somebody removes its directories while it runs', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await put(store, hello);
    for (const name of ['docker', 'entrepot']) await rm(dir.join(name), { recursive: true });
    assert.deepEqual(await Array.fromAsync(store.unfinished()), []);
    await put(store, hello);
    assert.equal((await store.find(digest))?.size, hello.length);
    await store.quarantine(digest, 'limited');
    await rm(dir.join('entrepot'), { recursive: true });
    await put(store, hello);
    await store.quarantine(digest, 'limited');
    assert.equal(await store.find(digest), undefined);
  });

  test('waits for reads under way before it closes the file beneath them', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('big'), '');
    await truncate(dir.join('big'), 64 * 1024 * 1024);
    const file = await OpenFile.open(dir.join('big'), 'r', new PromptReads(readWatch(systemClock)));
    const ended: string[] = [];
    const buffer = Buffer.alloc(64 * 1024 * 1024);
    const reading = file.read(buffer, buffer.length, 0).then(() => ended.push('read'));
    const closing = file.close().then(() => ended.push('closed'));
    await assert.rejects(file.read(buffer, 1, 0), /closed/);
    await Promise.all([reading, closing]);
    assert.deepEqual(ended, ['read', 'closed']);
  });

  test('keeps damaged blobs for a look, up to a limit', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    for (let each = 0; each < 17; each += 1) {
      const content = Buffer.from(`content ${each}`);
      await put(store, content);
      await store.quarantine(digestOf(content), 'limited');
    }
    const files = await dir.files();
    assert.equal(files.filter((file) => file.startsWith('entrepot/quarantine/sha256-')).length, 16);
    assert.equal(files.length, 16);
    await put(store, hello);
    await store.quarantine(digest, 'unlimited');
    assert.equal((await dir.files()).filter((file) => file.startsWith('entrepot/quarantine/')).length, 17);
  });

  test('says what to do when the disk is full', async () => {
    await using dir = await TempDir.make();
    const store = await openFilesystemStore({ root: dir.path });
    await symlink('/dev/full', dir.join('entrepot/ingest/full'));
    await using ingest = await store.ingest(parseIngestName('full'), 'resume');
    await assert.rejects(async () => ingest?.write(hello, 0), {
      code: 'UNAVAILABLE',
      origin: 'store',
      detail: { code: 'ENOSPC' },
      message: 'writing to the store failed with ENOSPC: free some space on it, or lower cache.size',
    });
  });

  test('says what to do when its root cannot be written to', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('file'), '');
    await assert.rejects(openFilesystemStore({ root: dir.join('file', 'root') }), {
      code: 'UNAVAILABLE',
      origin: 'store',
      detail: { code: 'ENOTDIR' },
      message: /^opening the store below .*file\/root failed with ENOTDIR: .+/,
    });
  });
});

async function put(store: BlobStore, content: Uint8Array): Promise<BlobReader> {
  await using ingest = await store.ingest(parseIngestName('put'), 'new');
  await ingest.write(content, 0);
  return await ingest.commit({ digest: digestOf(content), size: content.length } as Verified);
}

/** Files where directories belong, directories where files belong, names that are no digests, dangling links. */
async function litter(dir: TempDir): Promise<void> {
  const top = dir.join(blobs, 'sha256');
  const hex = 'ab'.repeat(32);
  await writeFile(`${top}/README`, 'x');
  await mkdir(`${top}/ab/${hex}/data`, { recursive: true });
  await mkdir(`${top}/ab/${'cd'.repeat(32)}`);
  await writeFile(`${top}/ab/${'cd'.repeat(32)}/data`, 'in the wrong directory');
  await mkdir(`${top}/ab/${hexOf(digest)}`);
  await writeFile(`${top}/ab/${hexOf(digest)}/data`, hello);
  await mkdir(`${top}/ab/short`);
  await writeFile(`${top}/ab/short/data`, 'x');
  await writeFile(`${top}/ab/${'ab'.repeat(31)}cd`, 'a file');
  await mkdir(`${top}/ab/${'ab'.repeat(31)}ef`);
  await symlink('/nowhere', `${top}/ab/${'ab'.repeat(31)}ef/data`);
  await writeFile(`${top}/cd`, 'a file');
  await mkdir(dir.join(blobs, 'md5'));
  await writeFile(dir.join('entrepot/ingest/Not A Name'), 'x');
}
