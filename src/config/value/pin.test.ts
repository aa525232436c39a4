import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalPin } from './pin.ts';

const cases: readonly (readonly [written: string, compared: string])[] = [
  ['redis', 'docker.io/library/redis'],
  ['redis:7', 'docker.io/library/redis:7'],
  ['redis*', 'docker.io/library/redis*'],
  ['*:3.*', 'docker.io/library/*:3.*'],
  ['{redis:7,postgres:*}', 'docker.io/library/{redis:7,postgres:*}'],
  ['grafana/*', 'docker.io/grafana/*'],
  ['docker.io/redis:7*', 'docker.io/library/redis:7*'],
  ['index.docker.io/grafana/**', 'docker.io/grafana/**'],
  ['docker.io/library/*:*', 'docker.io/library/*:*'],
  ['quay.io/coreos/etcd:v3', 'quay.io/coreos/etcd:v3'],
  ['localhost/a/b', 'localhost/a/b'],
  ['registry:5000/a:1', 'registry:5000/a:1'],
  ['*.gcr.io/base/*', '*.gcr.io/base/*'],
  ['{quay.io,ghcr.io}/a/*', '{quay.io,ghcr.io}/a/*'],
  ['**', '**'],
  ['**:stable', '**:stable'],
];

describe('a pin', () => {
  for (const [written, compared] of cases) {
    test(`${written} is compared as ${compared}`, () => assert.equal(canonicalPin(written), compared));
  }
});
