import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TempDir } from '../../test/support/temp-dir.ts';
import { provideUsers } from './new-htpasswd.ts';

const noFiles = { users: undefined, rootCertificates: [], keys: [], adminToken: undefined };

test('a file of users that is not there is made, with the directories above it', async () => {
  await using dir = await TempDir.make();
  const path = dir.join('auth/htpasswd');
  const { files, notice } = await provideUsers({ kind: 'htpasswd', realm: 'x', path }, noFiles);
  assert.deepEqual([...(files.users?.keys() ?? [])], ['docker']);
  assert.equal(await readFile(path, 'utf8'), `docker:${files.users?.get('docker')}\n`);
  assert.match(notice ?? '', /did not exist and was made, with user docker and password /);
});

test('a file of users that cannot be made ends the start with what to do', { timeout: 60_000 }, async () => {
  const made = provideUsers({ kind: 'htpasswd', realm: 'x', path: '/proc/nonexist/x' }, noFiles);
  await assert.rejects(
    made,
    /^RegistryError: auth\.htpasswd\.path: \/proc\/nonexist\/x .* cannot be made .*; make it with/,
  );
});
