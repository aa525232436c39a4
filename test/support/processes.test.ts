import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { get } from './client.ts';
import { accepts } from './ports.ts';
import { ServerProcess } from './processes.ts';
import { TempDir } from './temp-dir.ts';

const GOOD = `
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
const { http, storage } = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const server = createServer((_, response) => response.end(storage.filesystem.rootdirectory));
server.listen(http.addr.split(':')[1], '127.0.0.1', () => console.log(JSON.stringify({ msg: 'listening', addr: http.addr })));
process.on('SIGTERM', () => { console.error('draining'); process.exit(0); });
`;

async function script(dir: TempDir, source: string): Promise<string> {
  await writeFile(dir.join('main.mjs'), source);
  return dir.join('main.mjs');
}

test('a server is started on a free port with a configuration, read, and stopped', async () => {
  await using dir = await TempDir.make();
  await using server = await ServerProcess.start({ directory: dir.path, main: await script(dir, GOOD) });
  assert.equal((await get(server.origin)).body.toString(), dir.join('registry'));
  await server.printed('listening');
  assert.deepEqual(server.events(), [{ msg: 'listening', addr: `127.0.0.1:${server.port}` }]);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.match(server.logs, /draining/);
  assert.equal(await accepts(server.port), false);
});

test('a server that is killed has no chance to say anything, and starts again on its old port', async () => {
  await using dir = await TempDir.make();
  const options = { directory: dir.path, main: await script(dir, GOOD) };
  await using first = await ServerProcess.start(options);
  assert.deepEqual(await first.kill(), { code: null, signal: 'SIGKILL' });
  assert.doesNotMatch(first.logs, /draining/);
  await using second = await ServerProcess.start({ ...options, port: first.port });
  assert.equal((await get(second.origin)).status, 200);
});

test('a server that does not come up fails the test with what it said', async () => {
  await using dir = await TempDir.make();
  const main = await script(dir, `console.error('the disk is on fire'); process.exit(3);`);
  await assert.rejects(ServerProcess.start({ directory: dir.path, main }), /ended \(3\)[^]*the disk is on fire/);
});
