import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plainUpstream } from './upstream-defaults.ts';
import { upstreamLookup } from './upstream-lookup.ts';

const find = upstreamLookup([
  plainUpstream('docker.io', {
    url: 'https://registry-1.docker.io',
    aliases: ['index.docker.io', 'registry-1.docker.io'],
  }),
  plainUpstream('gcr.io'),
  plainUpstream('*.gcr.io'),
  plainUpstream('k8s.gcr.io', { concurrency: 3 }),
  plainUpstream('*.dkr.ecr.*.amazonaws.com'),
  plainUpstream('*-docker.pkg.dev', { concurrency: 5 }),
  plainUpstream('*.pkg.dev'),
  plainUpstream('registry.corp:5000'),
]);

describe('the lookup of an upstream', () => {
  test('knows all names of one registry, in any case, with the default port', () => {
    for (const host of ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'Docker.IO', 'docker.io:443']) {
      assert.equal(find(host)?.name, 'docker.io', host);
    }
  });

  test('prefers an exact name to a wildcard, and a longer wildcard to a shorter', () => {
    assert.equal(find('k8s.gcr.io')?.concurrency, 3);
    assert.equal(find('europe-docker.pkg.dev')?.concurrency, 5);
    assert.equal(find('other.pkg.dev')?.concurrency, 16);
  });

  test('fills the stars of a wildcard into its URL', () => {
    const found = find('123.dkr.ecr.eu-west-1.amazonaws.com');
    assert.equal(found?.name, '123.dkr.ecr.eu-west-1.amazonaws.com');
    assert.equal(found?.url, 'https://123.dkr.ecr.eu-west-1.amazonaws.com');
  });

  test('gives the same upstream for a name each time, so that what is made of it is made once', () => {
    assert.equal(find('us.gcr.io'), find('US.gcr.io'));
    for (let each = 0; each < 2_000; each += 1) assert.equal(find(`r${each}.gcr.io`)?.name, `r${each}.gcr.io`);
    assert.equal(find('us.gcr.io')?.url, 'https://us.gcr.io');
  });

  test('lets a star stand for one part of a name only', () => {
    for (const host of [
      'a.b.gcr.io',
      '.gcr.io',
      'gcr.io.evil.com',
      'evilgcr.io',
      'us.gcr.io:8443',
      'us.gcr.io@evil.com',
      '*.gcr.io',
    ]) {
      assert.equal(find(host), undefined, host);
    }
  });

  test('tells ports apart', () => {
    assert.equal(find('registry.corp:5000')?.url, 'https://registry.corp:5000');
    assert.equal(find('registry.corp'), undefined);
    assert.equal(find('registry.corp:5001'), undefined);
  });

  test('does not know what nobody configured', () => assert.equal(find('evil.example.com'), undefined));
});
