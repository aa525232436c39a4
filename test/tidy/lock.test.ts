import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readText } from './markdown.ts';

test('the lock file asks nothing of the machine’s own Node', () => {
  const { packages } = JSON.parse(readText('package-lock.json')) as { readonly packages: Record<string, object> };
  const demanding = Object.keys(packages).filter((name) => 'engines' in (packages[name] ?? {}));
  assert.deepEqual(demanding, [], 'run: npx node scripts/loosen-lock.ts');
});
