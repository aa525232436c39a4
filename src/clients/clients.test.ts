import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertGolden } from '../../test/support/golden.ts';
import { clientConfigText } from './client-config.ts';
import type { ClientTarget } from './target.ts';
import { everyRegistry } from './testing.ts';
import { isRuntime, runtimes } from './runtimes.ts';

const targets: Readonly<Record<string, ClientTarget>> = {
  plain: everyRegistry,
  tls: { ...everyRegistry, url: 'https://cache.example' },
  'own-tls': { ...everyRegistry, url: 'https://cache.example:5000', authority: { pem: 'THE CERTIFICATE\n' } },
  'one-upstream': { ...everyRegistry, serves: 'one', upstreams: ['quay.io'], defaultUpstream: 'quay.io' },
  registry: { ...everyRegistry, serves: 'none', upstreams: [], interception: undefined },
};

describe('the configuration of a client', () => {
  for (const [runtime, { config }] of Object.entries(runtimes)) {
    for (const [name, target] of Object.entries(targets)) {
      test(`is what it was for ${runtime}, ${name}`, () => {
        assertGolden(`test/golden/clients/${runtime}-${name}.txt`, clientConfigText(config(target)));
      });
    }
  }

  test('for Docker is JSON that can be merged into daemon.json', () => {
    const [file] = runtimes['docker-mirror'].config(everyRegistry).files;
    assert.deepEqual(JSON.parse(file?.content ?? ''), {
      'registry-mirrors': ['http://cache.example:5000'],
      'insecure-registries': ['http://cache.example:5000'],
    });
  });

  test('names the default port, because an image name without one is looked for elsewhere', () => {
    assert.match(
      runtimes['docker-mirror'].config(targets['tls'] ?? everyRegistry).examples.join('\n'),
      /docker pull cache\.example:443\/quay\.io\//,
    );
  });

  test('offers Docker no mirror when the default upstream is not Docker Hub', () => {
    const { files } = runtimes['docker-mirror'].config({ ...everyRegistry, defaultUpstream: 'quay.io' });
    assert.doesNotMatch(files.map((file) => file.content).join(''), /registry-mirrors/);
  });

  test('for Docker says once what is asked without the proxy', () => {
    const { files } = runtimes.docker.config({ ...everyRegistry, url: 'http://127.0.0.1:5000' });
    assert.match(files.map((file) => file.content).join(''), /"NO_PROXY=localhost,127\.0\.0\.1,::1"/);
  });

  test('is known by name', () => {
    assert.equal(isRuntime('podman'), true);
    assert.equal(isRuntime('constructor'), false);
  });
});
