import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { accepts, freePort, HeldPort } from './ports.ts';

const ports = new URL('./ports.ts', import.meta.url).href;

test('a port is given to nobody else, in this process or another one, while it is held', async () => {
  const ours = await Promise.all(Array.from({ length: 300 }, () => freePort()));
  assert.equal(new Set(ours).size, ours.length);
  const script = `const { freePort } = await import(${JSON.stringify(ports)});
    console.log(JSON.stringify(await Promise.all(Array.from({ length: 300 }, () => freePort()))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const theirs = new Set(JSON.parse(stdout) as number[]);
  assert.equal(theirs.size, ours.length);
  assert.deepEqual(theirs.intersection(new Set(ours)), new Set());
});

test('nothing listens at a port that is held', async () => {
  using held = await HeldPort.take();
  assert.equal(await accepts(held.port), false);
});
