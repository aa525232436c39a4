import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TempDir } from './temp-dir.ts';

test('the directory and all in it are gone afterwards', async () => {
  const dir = await TempDir.make();
  await mkdir(dir.join('a', 'b'), { recursive: true });
  await writeFile(dir.join('a', 'b', 'file'), '');
  assert.deepEqual(await dir.files(), ['a/b/file']);
  await dir[Symbol.asyncDispose]();
  assert.equal(existsSync(dir.path), false);
});

test('a file that should not be there fails the test, and is removed all the same', async () => {
  const dir = await TempDir.make({ expectEmpty: true, except: /^blobs\// });
  await mkdir(dir.join('blobs'));
  await mkdir(dir.join('spool'));
  await writeFile(dir.join('blobs', 'expected'), '');
  await writeFile(dir.join('spool', 'partial'), '');
  await assert.rejects(dir[Symbol.asyncDispose](), /left files behind[^]*spool\/partial/);
  assert.equal(existsSync(dir.path), false);
});

test('nothing but empty directories is nothing', async () => {
  await using dir = await TempDir.make({ expectEmpty: true });
  await mkdir(dir.join('spool'));
});
