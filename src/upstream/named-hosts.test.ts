import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { plainUpstream } from '../config/upstream-defaults.ts';
import { namedHosts } from './named-hosts.ts';

describe('the hosts that a configuration names', () => {
  test('are those of its URL, its mirrors and its realms', () => {
    const { hosts, literals } = namedHosts(
      plainUpstream('reg.lan', {
        url: 'https://Registry.lan:8443/path',
        mirrors: [{ url: 'http://[fd00::1]:5000', resolve: false }],
        realms: ['auth.lan:8443', '10.0.0.1'],
      }),
    );
    assert.deepEqual([...hosts], ['registry.lan', 'fd00::1', 'auth.lan', '10.0.0.1']);
    assert.deepEqual(literals, ['fd00::1', '10.0.0.1']);
  });

  test('are not those that the built-in table names', () => {
    const hub = { builtIn: true, url: 'https://registry-1.docker.io', realms: ['auth.docker.io'] };
    assert.deepEqual([...namedHosts(plainUpstream('docker.io', hub)).hosts], []);
    const moved = { ...hub, url: 'https://hub.lan', realms: ['auth.docker.io', 'auth.lan'] };
    assert.deepEqual([...namedHosts(plainUpstream('docker.io', moved)).hosts], ['hub.lan', 'auth.lan']);
  });

  test('are not those that a built-in wildcard stands for', () => {
    const region = { builtIn: true, url: 'https://eu.gcr.io' };
    assert.deepEqual([...namedHosts(plainUpstream('eu.gcr.io', region)).hosts], []);
  });
});
