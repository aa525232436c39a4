import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repositoryRoot } from './modules.ts';

describe('the lock file', () => {
  test('names no host to install from: that is for the machine that installs', () => {
    const lock: unknown = JSON.parse(read('package-lock.json'));
    assert.deepEqual(hostsIn(lock), []);
    assert.doesNotMatch(read('.npmrc'), /^\s*(?:@[^=]*:)?registry\s*=/m);
  });

  test('would be caught naming one', () => {
    const entry = (resolved: string): unknown => ({ packages: { 'node_modules/a': { version: '1.0.0', resolved } } });
    assert.deepEqual(hostsIn(entry('https://registry.example/a/-/a-1.0.0.tgz')), [
      'node_modules/a comes from https://registry.example/a/-/a-1.0.0.tgz',
    ]);
    assert.deepEqual(hostsIn({ packages: { 'node_modules/a': { version: '1.0.0' } } }), []);
  });
});

function hostsIn(lock: unknown): readonly string[] {
  const { packages = {} } = lock as { readonly packages?: Readonly<Record<string, { readonly resolved?: string }>> };
  return Object.entries(packages).flatMap(([name, { resolved }]) =>
    resolved?.includes('://') ? [`${name} comes from ${resolved}`] : [],
  );
}

function read(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}
