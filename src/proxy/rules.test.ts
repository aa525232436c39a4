import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../config/load.ts';
import { proxyRules } from './rules.ts';

test('a token service that several registries share is that one’s of whose domain it is', async () => {
  const { config } = await loadConfig({ text: 'version: 0.1\n', env: {} });
  const rules = proxyRules(config, config.intercept ?? assert.fail('it is on'), {
    find: (host) => config.upstreams.find(({ name, aliases }) => name === host || aliases.includes(host)),
    learned: { byRealm: () => undefined },
    routing: { isOwnName: () => false },
    permissions: { isClosed: false },
  });
  const sharing = config.upstreams.filter(({ realms }) => realms.includes('auth.docker.io'));
  assert.ok(sharing.length > 1, 'docker.n8n.io is one of them');
  assert.equal(rules.upstreamAt('auth.docker.io'), 'docker.io');
});
