import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { builtinUpstreams } from '../builtin-upstreams.ts';
import type { UpstreamConfig } from '../config.ts';
import { loadText, problemsOf } from '../testing.ts';
import { plainUpstream } from '../upstream-defaults.ts';
import { upstreamLookup } from '../upstream-lookup.ts';

async function upstreamOf(name: string, keys: string): Promise<UpstreamConfig> {
  const { config } = await loadText(`upstreams:\n  "${name}": ${keys}\n`);
  const found = upstreamLookup(config.upstreams)(name) ?? config.upstreams.find((each) => each.name === name);
  assert.ok(found);
  return found;
}

describe('the built-in table', () => {
  test('resolves without a word of configuration', async () => {
    const { config } = await loadText(undefined);
    assert.equal(config.upstreams.length, builtinUpstreams.length);
    const find = upstreamLookup(config.upstreams);
    assert.equal(find('docker.io')?.url, 'https://registry-1.docker.io');
    assert.deepEqual(find('registry.gitlab.com')?.realms, ['gitlab.com']);
    assert.equal(find('europe-west1-docker.pkg.dev')?.url, 'https://europe-west1-docker.pkg.dev');
    assert.equal(find('k8s.gcr.io')?.freshness[0]?.forMs, 86_400_000);
    assert.deepEqual(
      config.upstreams.filter((upstream) => upstream.library).map((upstream) => upstream.name),
      ['docker.io'],
    );
  });

  test('has no name twice, no credentials, and https everywhere', async () => {
    const { config } = await loadText(undefined);
    const names = config.upstreams.flatMap((upstream) => [upstream.name, ...upstream.aliases]);
    assert.equal(new Set(names).size, names.length);
    for (const upstream of config.upstreams) {
      assert.equal(upstream.builtIn, true);
      assert.equal(upstream.credentials.kind, 'none');
      assert.ok(upstream.url.startsWith('https://'), upstream.url);
    }
  });
});

describe('an upstream', () => {
  test('about which nothing is said has the defaults, which the schema and upstream-defaults.ts have alike', async () => {
    assert.deepEqual(await upstreamOf('registry.corp', '{}'), plainUpstream('registry.corp'));
    assert.deepEqual(await upstreamOf('registry.corp', '~'), plainUpstream('registry.corp'));
  });

  test('has every key of the file', async () => {
    const upstream = await upstreamOf(
      'Registry.Corp:5000',
      `
    url: https://10.0.0.7/artifactory/
    mirrors: [https://mirror.corp, { url: "http://other.corp:5000", resolve: true }]
    credentials: { helper: ecr-login }
    exposure: passthrough
    realms: [Auth.Corp, "auth.corp:8443"]
    freshness: [{ tags: "*-rc*", for: 0 }, { tags: "v*", for: forever }]
    keep: { notfound: false }
    allow: [team/**]
    deny: team/secret/**
    concurrency: 4
    ranges: 1
    bandwidth: 50MB
    insecure: true
    proxy: socks5://u:p@corp:1080
    timeouts: { connect: 1s, headers: 2s, stall: 3s }
    dial: [127.0.0.0/8, "::1"]
    resolver: 10.0.0.53
    family: 6`,
    );
    const { proxy, ...rest } = upstream;
    assert.equal(proxy?.url, 'socks5://corp:1080');
    assert.equal(proxy.password?.reveal(), 'p');
    assert.deepEqual(rest, {
      name: 'registry.corp:5000',
      aliases: [],
      builtIn: false,
      named: true,
      url: 'https://10.0.0.7/artifactory',
      library: false,
      mirrors: [
        { url: 'https://mirror.corp', resolve: false },
        { url: 'http://other.corp:5000', resolve: true },
      ],
      credentials: { kind: 'helper', name: 'ecr-login' },
      exposure: 'passthrough',
      realms: ['auth.corp', 'auth.corp:8443'],
      freshness: [
        { tags: '*-rc*', forMs: 0 },
        { tags: 'v*', forMs: Number.POSITIVE_INFINITY },
        { tags: '*', forMs: 60_000 },
      ],
      keep: { notfound: false, denied: true },
      allow: ['team/**'],
      deny: ['team/secret/**'],
      concurrency: 4,
      ranges: 1,
      bandwidthBytesPerSecond: 50e6,
      caPath: undefined,
      insecure: true,
      timeouts: { connectMs: 1_000, headersMs: 2_000, stallMs: 3_000 },
      dial: ['127.0.0.0/8', '::1'],
      resolver: ['10.0.0.53'],
      family: '6',
    });
  });

  test('has credentials of one kind', async () => {
    const kinds: readonly (readonly [keys: string, expected: object])[] = [
      ['{ username: u, passwordfile: /etc/hostname }', { kind: 'passwordFile', username: 'u', path: '/etc/hostname' }],
      ['{ dockerconfig: /etc/hostname }', { kind: 'dockerConfig', path: '/etc/hostname' }],
      ['{ helper: gcloud }', { kind: 'helper', name: 'gcloud' }],
      ['{ provider: ecr }', { kind: 'provider', provider: 'ecr' }],
    ];
    for (const [keys, expected] of kinds) {
      assert.deepEqual((await upstreamOf('a.b', `{ credentials: ${keys} }`)).credentials, expected);
    }
    const { credentials } = await upstreamOf('a.b', '{ credentials: { username: u, password: p } }');
    assert.equal(credentials.kind === 'static' && credentials.password.reveal(), 'p');
  });

  test('that is built in keeps what the file leaves out, under any of its names', async () => {
    const upstream = await upstreamOf('index.docker.io', '{ concurrency: 3 }');
    assert.equal(upstream.name, 'docker.io');
    assert.equal(upstream.concurrency, 3);
    assert.deepEqual(upstream.realms, ['auth.docker.io']);
    assert.equal(upstream.library, true);
  });

  test('that is built in loses its realms when its URL points elsewhere: credentials are not theirs', async () => {
    assert.deepEqual((await upstreamOf('docker.io', '{ url: "https://hub.corp" }')).realms, []);
    assert.deepEqual((await upstreamOf('docker.io', '{ url: "https://hub.corp", realms: [auth.corp] }')).realms, [
      'auth.corp',
    ]);
    assert.deepEqual((await upstreamOf('docker.io', '{ url: "https://registry-1.docker.io/" }')).realms, [
      'auth.docker.io',
    ]);
  });

  test('asks the DNS servers of intercept when it names none', async () => {
    const { config } = await loadText('intercept: { resolver: 10.0.0.53 }\nupstreams: { a.b: { resolver: [] } }');
    const find = upstreamLookup(config.upstreams);
    assert.deepEqual(find('quay.io')?.resolver, ['10.0.0.53']);
    assert.deepEqual(find('a.b')?.resolver, []);
  });

  test('waits for some time: a deadline of nothing is refused', async () => {
    const problems = await problemsOf('upstreams: { a.b: { timeouts: { connect: 0s, headers: 0, stall: 0ms } } }');
    assert.deepEqual(problems, [
      'config.yml:1:42: upstreams.a.b.timeouts.connect: leaves no time; write a duration such as 30s, or remove it',
      'config.yml:1:55: upstreams.a.b.timeouts.headers: leaves no time; write a duration such as 30s, or remove it',
      'config.yml:1:65: upstreams.a.b.timeouts.stall: leaves no time; write a duration such as 30s, or remove it',
    ]);
  });

  test('with one wrong key has its other mistakes reported too', async () => {
    assert.deepEqual(await problemsOf('upstreams: { a.b: { ranges: 0, credentials: { username: u } } }'), [
      'config.yml:1:29: upstreams.a.b.ranges: 0 is too small; write at least 1',
      'config.yml:1:57: upstreams.a.b.credentials.username: a user without a password; write password or passwordfile, too',
    ]);
  });
});
