import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { upstreamLookup } from '../../upstream-lookup.ts';
import { loadText, problemsOf } from '../../testing.ts';

/** COMPAT, as its image and its forks have them. */
const ofProxy = `REGISTRIES AUTH_REGISTRIES AUTH_REGISTRIES_DELIMITER AUTH_REGISTRY_DELIMITER VERIFY_SSL CACHE_MAX_SIZE CACHE_INACTIVE
  ENABLE_MANIFEST_CACHE MANIFEST_CACHE_PRIMARY_REGEX MANIFEST_CACHE_PRIMARY_TIME MANIFEST_CACHE_SECONDARY_REGEX
  MANIFEST_CACHE_SECONDARY_TIME MANIFEST_CACHE_DEFAULT_TIME ALLOW_PUSH PROXY_REQUEST_BUFFERING SEND_TIMEOUT CLIENT_BODY_TIMEOUT
  CLIENT_HEADER_TIMEOUT KEEPALIVE_TIMEOUT PROXY_READ_TIMEOUT PROXY_CONNECT_TIMEOUT PROXY_SEND_TIMEOUT PROXY_CONNECT_READ_TIMEOUT
  PROXY_CONNECT_CONNECT_TIMEOUT PROXY_CONNECT_SEND_TIMEOUT DISABLE_IPV6 DEBUG DEBUG_HUB DEBUG_NGINX CA_SRL_FILE ALLDOMAINS
  CACHE_DIRECTORY CACHE_MIN_FREE CACHE_VALID_TIME CACHE_KEYS_ZONE ALLOW_OWN_AUTH ALLOW_PUSH_WITH_OWN_AUTH FORCE_UPSTREAM_HTTP_1_1
  WORKER_PROCESSES PROXY_BUFFERING`;
const values: Readonly<Record<string, string>> = {
  REGISTRIES: 'quay.io',
  AUTH_REGISTRIES: 'quay.io:u:p',
  AUTH_REGISTRIES_DELIMITER: ';;',
  AUTH_REGISTRY_DELIMITER: ':',
  VERIFY_SSL: 'false',
  CACHE_MAX_SIZE: '1g',
  ENABLE_MANIFEST_CACHE: 'true',
  MANIFEST_CACHE_PRIMARY_REGEX: '(edge|main)',
  MANIFEST_CACHE_PRIMARY_TIME: '10m',
  MANIFEST_CACHE_SECONDARY_REGEX: '(stable)',
  MANIFEST_CACHE_SECONDARY_TIME: '60d',
  MANIFEST_CACHE_DEFAULT_TIME: '1h',
  ALLOW_PUSH: 'true',
  DISABLE_IPV6: 'true',
};

async function load(env: Readonly<Record<string, string>>) {
  const loaded = await loadText('', env);
  return { ...loaded, upstream: upstreamLookup(loaded.config.upstreams) };
}

describe("docker-registry-proxy's environment", () => {
  test('says which hosts are intercepted, on its port, Docker Hub always', async () => {
    const { config } = await load({ REGISTRIES: 'quay.io registry.example.com' });
    assert.deepEqual(config.intercept?.hosts, {
      kind: 'list',
      names: ['docker.io', 'quay.io', 'registry.example.com'],
    });
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 3128 }]);
    assert.equal(config.intercept?.push, 'refuse');
    assert.equal(config.intercept?.others, 'tunnel', 'its clients send everything through it');
  });

  test('knows a registry that nobody else has named', async () => {
    const { upstream } = await load({ REGISTRIES: 'registry.example.com' });
    assert.equal(upstream('registry.example.com')?.url, 'https://registry.example.com');
  });

  test('brings credentials to the registry whose token service they name, and says who can use them', async () => {
    const { upstream, notices } = await load({
      REGISTRIES: 'registry.gitlab.example.com quay.io',
      AUTH_REGISTRIES: 'auth.docker.io:hub:a:b;;gitlab.example.com:robot:secret;;quay.io:q:p',
      AUTH_REGISTRIES_DELIMITER: ';;',
    });
    const { credentials, exposure } = upstream('docker.io') ?? {};
    assert.equal(credentials?.kind, 'static');
    assert.equal(credentials.password.reveal(), 'a:b');
    assert.equal(exposure, 'anyone');
    const gitlab = upstream('registry.gitlab.example.com');
    assert.equal(gitlab?.credentials.kind, 'static');
    assert.deepEqual(gitlab.realms, ['gitlab.example.com']);
    assert.match(notices.join('\n'), /whatever robot may pull from registry\.gitlab\.example\.com/);
    assert.doesNotMatch(notices.join('\n'), /secret|a:b/);
  });

  test('shows no password when an item is malformed', async () => {
    const [line] = await problemsOf('', { AUTH_REGISTRIES: 'quay.io:hunter2' });
    assert.match(
      line ?? '',
      /^AUTH_REGISTRIES: holds something else than HOST:USER:PASSWORD as its item 1; correct it/,
    );
    assert.doesNotMatch(line ?? '', /hunter2/);
  });

  test('asks for a tag each time without its manifest cache', async () => {
    const { upstream } = await load({ REGISTRIES: 'quay.io' });
    for (const name of ['quay.io', 'docker.io']) assert.deepEqual(upstream(name)?.freshness, [{ tags: '*', forMs: 0 }]);
  });

  test('has three tiers of tags with it', async () => {
    const { upstream } = await load({
      REGISTRIES: 'quay.io',
      ENABLE_MANIFEST_CACHE: 'true',
      MANIFEST_CACHE_PRIMARY_REGEX: '(edge|main)',
      MANIFEST_CACHE_DEFAULT_TIME: '2h',
    });
    assert.deepEqual(
      upstream('quay.io')
        ?.freshness.slice(0, 4)
        .map(({ tags, forMs }) => [tags, forMs / 60_000]),
      [
        ['*edge*', 10],
        ['*main*', 10],
        ['*[0-9.]*[0-9.]*[0-9.]*', 60 * 24 * 60],
        ['*', 120],
      ],
    );
  });

  test('refuses a pattern that has no globs, and says what to write', async () => {
    const [line] = await problemsOf('', {
      ENABLE_MANIFEST_CACHE: 'true',
      MANIFEST_CACHE_PRIMARY_REGEX: String.raw`^v(?!0)\w{3}$`,
    });
    assert.match(line ?? '', /^MANIFEST_CACHE_PRIMARY_REGEX: .*write upstreams\.NAME\.freshness as a list/);
  });

  test('sets the size, the authority, what is verified, and who may push', async () => {
    const { config, upstream } = await load({
      REGISTRIES: 'quay.io',
      CACHE_MAX_SIZE: '32g',
      ALLOW_PUSH: 'true',
      VERIFY_SSL: 'false',
      DISABLE_IPV6: 'true',
    });
    assert.deepEqual(config.cache.size, { kind: 'bytes', sizeBytes: 32 * 2 ** 30 });
    assert.equal(config.intercept?.push, 'passthrough');
    assert.equal(upstream('quay.io')?.insecure, true);
    assert.equal(upstream('docker.io')?.family, '4');
  });

  test('brings its authority along, from where its volume has it', async () => {
    const lines = await problemsOf('', { CA_CRT_FILE: '/nowhere/fleet.crt' });
    assert.match(lines.join('\n'), /^CA_CRT_FILE: intercept\.ca\.certificate: \/nowhere\/fleet\.crt does not exist/m);
    assert.match(lines.join('\n'), /intercept\.ca\.key: \/ca\/ca\.key does not exist/);
  });

  test('explains what is not needed here', async () => {
    const { notices } = await load({ REGISTRIES: 'quay.io', CACHE_INACTIVE: '60d', KEEPALIVE_TIMEOUT: '300s' });
    assert.match(notices.join('\n'), /^CACHE_INACTIVE is not needed and ignored: content stays until room is needed/m);
    assert.match(notices.join('\n'), /^KEEPALIVE_TIMEOUT is not needed/m);
  });

  test('knows every variable of the original and of its forks', async () => {
    const given = Object.fromEntries(ofProxy.split(/\s+/u).map((name) => [name, values[name] ?? '60']));
    const { notices, origins } = await load(given);
    const known = [...notices, JSON.stringify([...origins.values()])].join('\n');
    for (const name of Object.keys(given)) {
      // Delimiters and times are in what they are about.
      if (!/DELIMITER|_TIME$|_REGEX$/.test(name) || name === 'CACHE_VALID_TIME') assert.ok(known.includes(name), name);
    }
  });

  for (const name of [
    'CACHE_INACTIVE',
    'DISABLE_IPV6',
    'MANIFEST_CACHE_PRIMARY_TIME',
    'MANIFEST_CACHE_SECONDARY_REGEX',
    'PROXY_REQUEST_BUFFERING',
    'PROXY_CONNECT_READ_TIMEOUT',
    'AUTH_REGISTRIES_DELIMITER',
  ]) {
    test(`counts from ${name} alone on`, async () => {
      const { config } = await load({ [name]: values[name] ?? '60' });
      assert.equal(config.intercept?.hosts.kind, 'list');
    });
  }

  test('counts from the key of its authority alone on', async () => {
    const [line] = await problemsOf('', { CA_KEY_FILE: '/nowhere/fleet.key' });
    assert.match(line ?? '', /^CA_KEY_FILE: /);
  });

  for (const time of ['1M', '1h 30m', '3600']) {
    for (const name of ['MANIFEST_CACHE_DEFAULT_TIME', 'MANIFEST_CACHE_PRIMARY_TIME']) {
      test(`refuses ${time} as ${name} once, by that name`, async () => {
        const lines = await problemsOf('', { ENABLE_MANIFEST_CACHE: 'true', [name]: time });
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? '', new RegExp(`^${name}: "${time}" (?:is not a duration|has no unit); write`));
      });
    }
  }

  test('gives way to a file and to our own variables', async () => {
    const env = { REGISTRIES: 'quay.io', ENTREPOT_HTTP_ADDR: ':4000', CACHE_MAX_SIZE: '1g' };
    const { config } = await loadText('cache: { size: 5GB }\n', env);
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 4000 }]);
    assert.deepEqual(config.cache.size, { kind: 'bytes', sizeBytes: 5e9 });
  });

  test('means nothing without a variable that only that proxy has', async () => {
    const { config, notices } = await load({ DEBUG: 'true', VERIFY_SSL: 'false', KEEPALIVE_TIMEOUT: '1s' });
    assert.deepEqual(config.intercept?.hosts, { kind: 'upstreams' });
    assert.deepEqual(
      notices.filter((notice) => /DEBUG|VERIFY_SSL|KEEPALIVE/.test(notice)),
      [],
    );
  });
});
