import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { configReference } from './reference.ts';

test('docs/configuration.md is what the schema says', async () => {
  const committed = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(committed, configReference(), 'run: npx node scripts/generate-config-reference.ts');
});
