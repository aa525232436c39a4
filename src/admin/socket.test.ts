import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { TempDir } from '../../test/support/temp-dir.ts';
import { prepareSocket, protectSocket } from './socket.ts';

/** A socket file whose process has been killed. */
function leaveStaleSocket(path: string): void {
  const code = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', code, path]);
  assert.ok(statSync(path).isSocket());
}

describe('the admin socket', () => {
  test('gets its directory', async () => {
    await using dir = await TempDir.make();
    await prepareSocket(dir.join('a', 'b', 'admin.sock'), 'admin.socket');
    assert.ok(existsSync(dir.join('a', 'b')));
  });

  test('takes the place of the file that a killed server left', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('admin.sock');
    leaveStaleSocket(path);
    await prepareSocket(path, 'admin.socket');
    assert.equal(existsSync(path), false);
  });

  test('leaves a live server alone', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('admin.sock');
    const server = createServer((socket) => socket.destroy()).listen(path);
    await once(server, 'listening');
    await assert.rejects(prepareSocket(path, 'admin.socket'), /another server listens on .*; stop it, or/);
    assert.ok(existsSync(path));
    server.close();
    await once(server, 'close');
  });

  test('deletes nothing that is not a socket', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('admin.sock');
    await writeFile(path, 'important');
    await assert.rejects(prepareSocket(path, 'admin.socket'), /is not a socket; move it away/);
    assert.ok(existsSync(path));
  });

  test('says that its path is too long before the kernel does', async () => {
    await assert.rejects(
      prepareSocket(`/run/${'x'.repeat(103)}`, 'admin.socket'),
      /longer than the 107 bytes .* set admin\.socket/,
    );
  });

  test('is for its owner only', async () => {
    await using dir = await TempDir.make();
    const path = dir.join('admin.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    await protectSocket(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    server.close();
    await once(server, 'close');
  });
});
