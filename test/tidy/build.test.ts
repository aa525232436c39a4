import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { version } from '../../src/observe/version.ts';
import { get } from '../support/client.ts';
import { ServerProcess } from '../support/processes.ts';
import { TempDir } from '../support/temp-dir.ts';
import { repositoryRoot } from './modules.ts';

const run = promisify(execFile);

test('npm run build makes one file that is the whole program', async () => {
  await using directory = await TempDir.make();
  const built = directory.join('entrepot.js');
  await run(process.execPath, [join(repositoryRoot, 'scripts/build.ts'), built], { cwd: repositoryRoot });
  const { stdout } = await run(process.execPath, [built, 'version'], { cwd: directory.path });
  assert.ok(stdout.startsWith(`entrepot ${version} `), stdout);
  await using server = await ServerProcess.start({ directory: directory.path, main: built });
  assert.equal((await get(`http://127.0.0.1:${server.port}/v2/`)).status, 200);
});
