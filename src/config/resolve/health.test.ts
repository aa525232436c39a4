import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadText, problemsOf } from '../testing.ts';

describe('the check of a URL', () => {
  const uri = 'http://user:password@check.test:8080/well?key=token';

  test('is told of without what is secret in it, and asked for with it', async () => {
    const { config } = await loadText(`health: { http: [{ uri: "${uri}" }] }`);
    assert.deepEqual(
      config.health.checks.map((check) => [check.name, check.kind === 'http' && check.url]),
      [['http://check.test:8080/well', uri]],
    );
  });

  test('has a name of its own though it differs from another only in what is not shown', async () => {
    const uris = ['?part=a', '?part=b', '?part=c'].map((query) => `{ uri: "http://check.test/${query}" }`);
    const { config } = await loadText(`health: { http: [${uris.join(', ')}] }`);
    assert.deepEqual(
      config.health.checks.map(({ name }) => name),
      ['http://check.test/', 'http://check.test/ (2)', 'http://check.test/ (3)'],
    );
    const problems = await problemsOf(`health: { http: [${[uris[0], uris[0]].join(', ')}] }`);
    assert.match(problems.join(), /is there twice/);
  });
});
