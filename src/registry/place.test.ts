import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exampleTable } from '../../test/support/routing-table.ts';
import { route } from './route.ts';

function placeOf(url: string): string {
  const found = route('GET', url, undefined, exampleTable());
  if (found.kind === 'failure') return `${found.error.code}: ${found.error.message}`;
  return 'key' in found ? `${found.key.upstream ?? 'here'}: ${found.key.name}` : found.kind;
}

describe('a path and an ns that name different registries', () => {
  const refusal =
    'REQUEST_INVALID: the path names the registry "quay.io", but the client asks for docker.io; point its mirror at this server without a path';
  for (const url of [
    '/quay.io/v2/org/app/manifests/1?ns=docker.io',
    '/v2/quay.io/org/app/manifests/1?ns=docker.io',
    '/v2/quay.io/org/app/manifests/1?ns=index.docker.io',
    '/v2/quay.io/org/app/tags/list?ns=docker.io',
  ]) {
    test(`are nobody's image, however they are spelled: ${url}`, () => assert.equal(placeOf(url), refusal));
  }

  test('are an image of a registry whose projects may be called by the name of another', () => {
    assert.equal(placeOf('/v2/docker.io/org/app/manifests/1?ns=quay.io'), 'quay.io: docker.io/org/app');
  });

  test('do not disagree where the path names nobody whom we know', () => {
    assert.equal(placeOf('/v2/evil.example/app/manifests/1?ns=docker.io'), 'docker.io: evil.example/app');
  });
});
