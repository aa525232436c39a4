import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain, type ExplainedKey } from './explain.ts';
import { configJsonSchema } from './json-schema.ts';
import { loadText } from './testing.ts';

async function rowsOf(
  text: string | undefined,
  env: Record<string, string> = {},
): Promise<ReadonlyMap<string, ExplainedKey>> {
  const rows = explain(await loadText(text, env));
  const byKey = new Map(rows.map((row) => [row.key, row]));
  assert.equal(byKey.size, rows.length, 'a key has two rows');
  return byKey;
}

describe('the explained configuration', () => {
  test('says of every key what it is and where that comes from', async () => {
    const rows = await rowsOf(
      'cache:\n  size: 100GB\nupstreams: { quay.io: { deny: [a/**] } }\nhttp: { headers: { X-A: [b] } }\n',
      { ENTREPOT_LOG_LEVEL: 'debug' },
    );
    const shown = [
      'cache.size',
      'cache.diskfree',
      'log.level',
      'http.addr',
      'http.headers',
      'upstreams.quay.io.url',
      'upstreams.quay.io.deny',
      'upstreams.docker.io.realms',
      'upstreams.*.freshness',
      'hosted.names',
    ];
    assert.deepEqual(
      shown.map((key) => rows.get(key)),
      [
        { key: 'cache.size', value: '100GB', origin: 'config.yml:2:9' },
        { key: 'cache.diskfree', value: '5%', origin: 'default' },
        { key: 'log.level', value: 'debug', origin: 'ENTREPOT_LOG_LEVEL' },
        { key: 'http.addr', value: ':5000', origin: 'default' },
        { key: 'http.headers', value: '{"X-A":["b"]}', origin: 'config.yml:4:18' },
        { key: 'upstreams.quay.io.url', value: 'https://quay.io', origin: 'built-in' },
        { key: 'upstreams.quay.io.deny', value: '["a/**"]', origin: 'config.yml:3:31' },
        { key: 'upstreams.docker.io.realms', value: '["auth.docker.io"]', origin: 'built-in' },
        { key: 'upstreams.*.freshness', value: '60s', origin: 'default' },
        { key: 'hosted.names', value: '["*","local/**"]', origin: 'default' },
      ],
    );
  });

  test('shows what is different without a file', async () => {
    const rows = await rowsOf(undefined);
    assert.equal(rows.get('http.addr')?.value, '127.0.0.1:5000');
    assert.equal(rows.get('http.debug.addr')?.value, '127.0.0.1:5001');
    assert.equal(rows.get('storage.filesystem.rootdirectory')?.value, '/var/lib/entrepot');
    assert.equal(rows.get('admin.socket')?.value, '/var/lib/entrepot/entrepot/admin.sock');
  });

  test('shows of the URLs of services neither passwords nor queries', async () => {
    const rows = await rowsOf(
      [
        'health: { http: [{ uri: "http://user:SECRET@check.test/well?key=SECRET" }] }',
        'notifications: { endpoints: [{ name: a, url: "https://events.test/in?token=SECRET&b=1" }] }',
      ].join('\n'),
    );
    assert.equal(rows.get('health.http')?.value, '[{"uri":"http://***@check.test/well?***"}]');
    assert.match(rows.get('notifications.endpoints')?.value ?? '', /"https:\/\/events.test\/in\?\*\*\*"/);
  });

  test('shows a new upstream though nothing is said of it', async () => {
    assert.deepEqual((await rowsOf('upstreams: { registry.corp: {} }')).get('upstreams.registry.corp.url'), {
      key: 'upstreams.registry.corp.url',
      value: 'https://registry.corp',
      origin: 'default',
    });
  });

  test('leaves out upstreams that a registry does not reach', async () => {
    const registry = await rowsOf('storage: inmemory');
    assert.deepEqual(
      [...registry.keys()].filter((key) => key.startsWith('upstreams')),
      [],
    );
    const proxy = await rowsOf('proxy: { remoteurl: "https://quay.io" }');
    assert.ok(proxy.has('upstreams.quay.io.url'));
    assert.ok(!proxy.has('upstreams.ghcr.io.url'));
    assert.equal(proxy.get('proxy.ttl')?.value, '168h');
  });

  test('shows no secret', async () => {
    const rows = await rowsOf(
      `
proxy: { remoteurl: "https://quay.io", username: u, password: hunter2 }
http: { secret: hunter2 }
upstreams:
  quay.io: { proxy: "http://u:hunter2@corp:3128" }
  a.b: { credentials: { username: u, password: hunter2 } }
`,
      { ENTREPOT_UPSTREAMS: '{c.d: {credentials: {username: u, password: hunter2}}}' },
    );
    const text = [...rows.values()].map((row) => `${row.key} ${row.value}`).join('\n');
    assert.ok(!text.includes('hunter2'), text);
    assert.equal(rows.get('proxy.password')?.value, '***');
  });
});

test('the JSON Schema names every section and forbids other keys', () => {
  const schema = configJsonSchema();
  const properties = schema['properties'] as Record<string, { description?: string; additionalProperties?: unknown }>;
  assert.equal(schema['additionalProperties'], false);
  assert.equal(properties['cache']?.additionalProperties, false);
  assert.equal(properties['upstreams']?.description?.startsWith('Adds to and overrides'), true);
  assert.ok(JSON.stringify(schema).includes('"default":"60s"'));
});
