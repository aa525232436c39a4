import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadText, problemsOf } from '../testing.ts';

/** The files in the images of registry:2.8 and registry:3, and keys that people add to them. */
const image2 = `version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;
const image3 = `version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
  tag:
    concurrencylimit: 8
http:
  addr: :5000
  debug:
    addr: :5001
    prometheus:
      enabled: true
      path: /metrics
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;

describe('the file of the image', () => {
  test('of registry:2 starts a registry that hosts every name', async () => {
    const { config, notices } = await loadText(image2);
    assert.equal(config.mode, 'registry');
    assert.deepEqual(config.hosted.names, ['**']);
    assert.deepEqual(config.upstreams, []);
    assert.equal(config.defaultUpstream, undefined);
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 5000 }]);
    assert.equal(config.http.debug, undefined);
    assert.deepEqual(config.http.headers, [['X-Content-Type-Options', ['nosniff']]]);
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
    assert.deepEqual(config.health.checks, [
      { kind: 'storage', name: 'storagedriver_filesystem', intervalMs: 10_000, threshold: 3 },
    ]);
    assert.deepEqual(notices, ['storage.cache (config.yml:6:3) is not needed and ignored: the index knows every blob']);
  });

  test('of registry:3 has its metrics where it says', async () => {
    const { config } = await loadText(image3);
    assert.deepEqual(config.http.debug, {
      listen: { host: undefined, port: 5001 },
      required: true,
      prometheusPath: '/metrics',
      takesHealth: true,
    });
  });

  test('with one key of ours that says what names mean is ours', async () => {
    const { config } = await loadText(`${image2}cache: { size: 10GB }\n`);
    assert.equal(config.mode, 'entrepot');
    assert.equal(config.defaultUpstream, 'docker.io');
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
  });

  test('with a key of ours that names nothing is still the registry', async () => {
    const more = `${image2}admin: { socket: /run/entrepot/admin.sock }\nindex: sqlite\nhosted: { immutable: '**:v*' }\n`;
    const { config } = await loadText(more);
    assert.equal(config.mode, 'registry');
    assert.deepEqual([config.hosted.names, config.hosted.immutable], [['**'], ['**:v*']]);
    const env = { ENTREPOT_ADMIN_SOCKET: '/run/entrepot/admin.sock' };
    assert.equal((await loadText(image2, env)).config.mode, 'registry');
  });

  test('with a key of ours that names nothing says that nothing is cached, and what would change that', async () => {
    const file = 'http: { tls: { auto: true } }\nstorage: { filesystem: { rootdirectory: /srv } }\n';
    const { config, notices } = await loadText(file);
    assert.equal(config.mode, 'registry');
    assert.deepEqual(notices, [
      "nothing is cached: a file with storage, and without hosted.names, upstreams, defaultupstream, cache, intercept or mirror, is a plain registry's, and http.tls.auto (config.yml:1:16) does not change that; write defaultupstream: docker.io to have the cache, too",
    ]);
    const both = await loadText(`${file}defaultupstream: docker.io\n`);
    assert.deepEqual([both.config.mode, both.notices], ['entrepot', []]);
    const env = { ENTREPOT_ADMIN_SOCKET: '/run/entrepot/admin.sock' };
    assert.doesNotMatch((await loadText(image2, env)).notices.join(), /nothing is cached/);
  });

  test('with a key of registry from our variable is still the registry', async () => {
    assert.equal((await loadText(image2, { ENTREPOT_LOG_LEVEL: 'debug' })).config.mode, 'registry');
  });
});

describe("registry's pull-through cache", () => {
  test('is a cache of that one upstream', async () => {
    const { config, notices } = await loadText(
      `${image2}proxy: { remoteurl: https://registry-1.docker.io, username: u, password: p }\n`,
    );
    assert.equal(config.mode, 'registry-proxy');
    assert.deepEqual(
      config.upstreams.map((upstream) => upstream.name),
      ['docker.io'],
    );
    assert.equal(config.defaultUpstream, 'docker.io');
    assert.deepEqual(config.hosted.names, []);
    const [upstream] = config.upstreams;
    assert.deepEqual(upstream?.realms, ['auth.docker.io']);
    assert.equal(upstream?.exposure, 'anyone');
    assert.equal(upstream?.credentials.kind, 'static');
    assert.match(
      notices.join('\n'),
      /whoever reaches this server can pull whatever u may pull from docker\.io.*set upstreams\.docker\.io\.exposure to authenticated/u,
    );
  });

  test('may ask a program who it is, by file and by variable', async () => {
    const { config, notices } = await loadText(
      `${image2}proxy: { remoteurl: "https://registry-1.docker.io", exec: { command: /bin/helper, lifetime: 24h } }\n`,
    );
    assert.deepEqual(config.upstreams[0]?.credentials, {
      kind: 'command',
      command: '/bin/helper',
      servers: ['auth.docker.io', 'registry-1.docker.io'],
      lifetimeMs: 86_400_000,
    });
    assert.equal(config.upstreams[0]?.exposure, 'anyone');
    assert.match(notices.join('\n'), /can pull whatever the user of proxy\.exec may pull from docker\.io/u);
    const once = await loadText(`${image2}proxy: { remoteurl: "https://quay.io", username: u, password: p }\n`, {
      REGISTRY_PROXY_EXEC_COMMAND: 'helper',
    });
    const lifetimeMs = Number.POSITIVE_INFINITY;
    assert.deepEqual(once.config.upstreams[0]?.credentials, {
      kind: 'command',
      command: 'helper',
      servers: ['quay.io'],
      lifetimeMs,
    });
    assert.match(once.notices.join('\n'), /proxy\.username is not used beside proxy\.exec/u);
    const problems = await problemsOf(`${image2}proxy: { remoteurl: "https://quay.io", exec: { lifetime: 0 } }\n`);
    assert.match(problems.join('\n'), /proxy\.exec: names no program; write proxy\.exec\.command/u);
  });

  test('keeps what nobody reads for seven days, or as long as it says, or for good', async () => {
    const unusedMs = async (ttl: string) =>
      (await loadText(`${image2}proxy: { remoteurl: "https://a.b"${ttl} }`)).config.cache.unusedMs;
    assert.equal(await unusedMs(''), 7 * 86_400_000);
    assert.equal(await unusedMs(', ttl: 24h'), 86_400_000);
    assert.equal(await unusedMs(', ttl: 3600000000000'), 3_600_000);
    assert.equal(await unusedMs(', ttl: 0'), Number.POSITIVE_INFINITY);
  });

  test('may be of a private registry over plain http', async () => {
    const { config, notices } = await loadText(
      `${image2}proxy: { remoteurl: "http://10.0.0.5:5000", username: u, password: p }\n`,
    );
    assert.equal(config.upstreams[0]?.name, '10.0.0.5:5000');
    assert.equal(config.upstreams[0]?.url, 'http://10.0.0.5:5000');
    assert.match(notices.join('\n'), /password over plain http; write https/u);
  });

  test('comes from variables alone as from the file of the image', async () => {
    const { config } = await loadText(undefined, { REGISTRY_PROXY_REMOTEURL: 'https://quay.io' });
    assert.equal(config.mode, 'registry-proxy');
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 5000 }]);
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/registry' });
  });

  test('listens to what upstreams says of its upstream, and says what is not reached', async () => {
    const { config, notices } = await loadText(`${image2}
proxy: { remoteurl: https://registry-1.docker.io, username: u, password: p }
upstreams:
  docker.io: { freshness: 5m, exposure: authenticated }
  quay.io: { freshness: 5m }
`);
    assert.equal(config.mode, 'registry-proxy');
    assert.deepEqual(config.upstreams[0]?.freshness, [{ tags: '*', forMs: 300_000 }]);
    assert.equal(config.upstreams[0]?.exposure, 'authenticated');
    assert.equal(notices.filter((notice) => /quay\.io is not reached/u.test(notice)).length, 1);
    assert.ok(!notices.some((notice) => /whoever reaches/u.test(notice)));
  });
});

describe("registry's other keys", () => {
  test('that change who may do what are refused where they say too little, never dropped', async () => {
    for (const [auth, said] of [
      ['{ silly: { realm: r, service: s } }', /auth\.silly: .*remove it/u],
      ['htpasswd', /auth\.htpasswd: names no file; write auth\.htpasswd\.path/u],
      ['{ htpasswd: { path: /p }, token: {} }', /auth\.token: a second way to log in beside htpasswd; leave one/u],
      [
        '{ token: { realm: r, service: s, jwks: /nowhere } }',
        /auth\.token: issuer is missing; add auth\.token\.issuer/u,
      ],
      ['{ token: { realm: r, service: s, issuer: i } }', /auth\.token: .*add rootcertbundle or jwks/u],
      ['{ token: { issuer: i, service: s, jwks: /nowhere } }', /auth\.token: realm is missing/u],
      ['{ token: { realm: r, service: s, issuer: i, rootcertbundle: /nowhere } }', /\/nowhere does not exist/u],
      ['{ token: { signingalgorithms: [none] } }', /signingalgorithms: none is not an algorithm/u],
    ] as const) {
      const problems = await problemsOf(`${image2}auth: ${auth}\n`);
      assert.match(problems.join('\n'), said);
      assert.match(problems.join('\n'), /^config\.yml:19:\d+: auth/u);
    }
    assert.equal((await loadText(`${image2}auth: none\n`)).config.mode, 'registry');
  });

  test('let users in and nobody else, or whoever has a token', async () => {
    const { config } = await loadText(`${image2}auth: { htpasswd: { realm: r, path: /nowhere/users } }\n`);
    assert.deepEqual(config.auth, { kind: 'htpasswd', realm: 'r', path: '/nowhere/users' });
    assert.deepEqual(config.access.rules[0]?.who, [{ kind: 'authenticated' }]);
    const problems = await problemsOf('auth: { htpasswd: { path: /nowhere/users } }\n');
    assert.match(problems.join('\n'), /nowhere\/users does not exist/u);
  });

  test('that another store would need are refused with what to use', async () => {
    for (const driver of [
      's3: { bucket: b, region: r }',
      's3aws: { bucket: b }',
      'gcs: { bucket: b }',
      'azure: { max_retries: 5 }',
      'swift: {}',
      'oss: { x: 1 }',
    ]) {
      const problems = await problemsOf(`version: 0.1\nstorage:\n  ${driver}\n`);
      assert.match(problems.join('\n'), /^config\.yml:3:\d+: storage\.\w+: not supported.*; use filesystem$/u);
    }
  });

  test('that ask for nothing are accepted', async () => {
    const { notices } = await loadText(`version: 0.1
loglevel: WARN
log: { hooks: [], reportcaller: false }
storage:
  filesystem: { maxthreads: 100 }
  delete: { enabled: true }
  redirect: { disable: true }
  maintenance: { uploadpurging: { enabled: true, age: 168h, interval: 24h, dryrun: false }, readonly: { enabled: false } }
http: { net: tcp, prefix: /, secret: s, http2: { disabled: false }, h2c: { enabled: false } }
notifications: { endpoints: [] }
health: { file: [], http: [], tcp: [] }
redis: { addr: "localhost:6379", pool: { maxidle: 16 } }
validation: { manifests: { urls: { allow: ["^https?://"] } } }
catalog: { maxentries: 5000 }
tags: { maxtags: 50 }
policy: { repository: { classes: [image] } }
reporting: { bugsnag: { apikey: k } }
compatibility: { schema1: { enabled: true } }
`);
    assert.ok(
      notices.every((notice) => /^[\w.]+ \(config\.yml:\d+:\d+\) is not needed and ignored: .+/u.test(notice)),
      notices.join('\n'),
    );
    assert.equal(new Set(notices.map((notice) => notice.split(' ')[0])).size, notices.length);
    assert.ok(notices.length >= 10, notices.join('\n'));
  });

  test('of hooks and plug-ins are refused unless all of them are disabled', async () => {
    const text = (disabled: string) =>
      `storage: inmemory\nlog: { hooks: [{ type: mail, disabled: true }] }\nmiddleware: { storage: [{ name: redirect, disabled: ${disabled} }] }\n`;
    assert.deepEqual((await loadText(text('true'))).notices, []);
    assert.deepEqual(await problemsOf(text('false')), [
      'config.yml:3:1: middleware: plug-ins of registry do not run here, and blobs come from here without a redirect; remove it',
    ]);
  });

  test('of the old name of the level count where the new one is missing', async () => {
    assert.equal((await loadText('storage: inmemory\nloglevel: WARN')).config.log.level, 'warn');
    assert.equal(
      (await loadText('storage: inmemory\nloglevel: WARN\nlog: { level: debug }')).config.log.level,
      'debug',
    );
  });

  test('that work later are refused with their place', async () => {
    assert.deepEqual(
      await problemsOf('cache: { size: 1GB }\nmirror:\n  - { from: a, to: b }\nindex: postgres://u:p@db/x\n'),
      [
        'config.yml:2:1: mirror: not supported by this version; remove it, and have cron run entrepot pull',
        'config.yml:4:1: index: PostgreSQL is not supported by this version; write sqlite',
      ],
    );
  });
});
