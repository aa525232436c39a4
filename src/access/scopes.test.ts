import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grantsOf, parseScopes } from './scopes.ts';

test('scopes are read as clients write them, and what makes no sense grants nothing', () => {
  const texts = [
    'repository:app:pull,push repository(plugin):host:5000/a/b:*',
    'registry:catalog:*',
    'repository:app',
    'repository::pull',
    'repository:app:',
    `repository:${'a'.repeat(2_000)}:pull`,
    '',
  ];
  assert.deepEqual(parseScopes(texts), [
    { type: 'repository', name: 'app', actions: ['pull', 'push'] },
    { type: 'repository', name: 'host:5000/a/b', actions: ['*'] },
    { type: 'registry', name: 'catalog', actions: ['*'] },
  ]);
  assert.equal(parseScopes(Array.from({ length: 1_000 }, () => 'repository:a:pull')).length, 64);
});

test('a grant is for the repositories that a name means, and for no longer one', () => {
  const names = { nginx: ['nginx', 'docker.io/library/nginx'], a: ['docker.io/library/a'] };
  const scopes = parseScopes(['repository:nginx:pull', 'repository:a:*', 'repository:unknown:pull', 'other:x:pull']);
  const grants = grantsOf(scopes, (name) => names[name as keyof typeof names] ?? []);
  assert.equal(grants.allows('pull', 'nginx'), true);
  assert.equal(grants.allows('pull', 'docker.io/library/nginx'), true);
  assert.equal(grants.allows('push', 'nginx'), false);
  assert.equal(grants.allows('delete', 'docker.io/library/a'), true);
  for (const name of ['a', 'unknown', 'x', 'nginx/deeper', 'constructor'])
    assert.equal(grants.allows('pull', name), false);
  assert.equal(grants.catalog, false);
});
