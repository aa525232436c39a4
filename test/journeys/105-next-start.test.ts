/**
 * A program that has run before is started again: most of what a start takes has been done.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const beside = fileURLToPath(new URL('../../node_modules/.cache/entrepot', import.meta.url));

/** Says at the end of a program where what it compiled is kept. */
const telling = `data:text/javascript,import { getCompileCacheDir } from 'node:module';
  process.on('exit', () => process.stderr.write('kept in ' + getCompileCacheDir() + ';'));`;

test('what a start has compiled is kept for the next one, beside the packages', async () => {
  const args = ['--import', telling.replaceAll('\n', ''), main, 'version'];
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
  assert.match(stdout, /\d/);
  assert.ok(stderr.includes(`kept in ${beside}`), stderr);
});
