import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { TempDir } from '../../test/support/temp-dir.ts';
import { makeDirectories } from './make-directories.ts';

describe('a directory that the configuration names', () => {
  test('is made with those above it, and is left alone where it is', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('a/b/c');
    await makeDirectories(path, 0o700);
    await makeDirectories(path);
    assert.equal((await stat(path)).mode & 0o777, 0o700);
  });

  test('is none where a file is', async () => {
    await using dir = await TempDir.make();
    await writeFile(dir.join('file'), '');
    await assert.rejects(makeDirectories(dir.join('file')), { code: 'EEXIST' });
    await assert.rejects(makeDirectories(dir.join('file/below')), { code: 'ENOTDIR' });
  });

  test('fails where none can be made', async () => {
    await assert.rejects(makeDirectories('/proc/nonexist/below'), { code: /^E(?:NOENT|ACCES|ROFS)$/ });
  });
});
