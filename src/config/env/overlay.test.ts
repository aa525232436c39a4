import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadText, problemsOf } from '../testing.ts';

/** Numbers are those of COMPAT's list of the rule's details. */
const file = `version: 0.1
storage: { filesystem: { rootdirectory: /data } }
http: { addr: ":5000" }
`;

describe('REGISTRY_* over a file of registry', () => {
  test('replaces a value, and the whole map where the map is named', async () => {
    const { config } = await loadText(file, {
      REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: '/other',
      REGISTRY_HTTP_ADDR: '127.0.0.1:80',
      REGISTRY_LOG: '{level: warn, formatter: json}',
    });
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/other' });
    assert.deepEqual(config.http.listen, [{ host: '127.0.0.1', port: 80 }]);
    assert.equal(config.log.level, 'warn');
    assert.equal(config.log.formatter, 'json');
    assert.equal(config.mode, 'registry');
  });

  test("(1) knows the names of Go's fields where they are not those of the file, and those too", async () => {
    const { config } = await loadText(file, { REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES: 'true' });
    assert.equal(config.notifications.includeReferences, true);
    for (const [name, value] of [
      ['REGISTRY_HEALTH_FILECHECKERS_0_FILE', '/run/down'],
      ['REGISTRY_HEALTH_FILE_0_FILE', '/run/down'],
      ['REGISTRY_HEALTH_HTTPCHECKERS_0_URI', 'http://other.example/'],
      ['REGISTRY_HEALTH_TCPCHECKERS_0_ADDR', 'other.example:80'],
    ] as const) {
      const loaded = await loadText(file, { [name]: value });
      assert.deepEqual(
        loaded.config.health.checks.map((check) => check.name),
        [value],
      );
    }
    const [hook = ''] = await problemsOf(file, { REGISTRY_LOG_HOOKS_0_MAILOPTIONS_FROM: 'x' });
    assert.match(hook, /^REGISTRY_LOG_HOOKS_0_MAILOPTIONS_FROM: log\.hooks: /u);
  });

  test('(2) matches the keys of maps in any case, and makes new ones in lower case', async () => {
    const { config } = await loadText('storage: inmemory\nhttp: { headers: { X-Frame-Options: [deny] } }', {
      'REGISTRY_HTTP_HEADERS_X-FRAME-OPTIONS': '[sameorigin]',
      'REGISTRY_HTTP_HEADERS_X-Other': '[a, b]',
      REGISTRY_LOG_FIELDS_SERVICE: 'registry',
    });
    assert.deepEqual(config.http.headers, [
      ['X-Frame-Options', ['sameorigin']],
      ['x-other', ['a', 'b']],
    ]);
    assert.deepEqual(config.log.fields, { service: 'registry' });
  });

  test('(4) grows a list by one at a time, and counts _2 before _10', async () => {
    const variables = Object.fromEntries(
      Array.from({ length: 12 }, (_, index) => [`ENTREPOT_CACHE_PINS_${index}`, `pin${index}`]),
    );
    const { config } = await loadText(undefined, variables);
    assert.deepEqual(
      config.cache.pins,
      Array.from({ length: 12 }, (_, index) => `docker.io/library/pin${index}`),
    );
    assert.deepEqual(await problemsOf(undefined, { ENTREPOT_CACHE_PINS_0: 'a', ENTREPOT_CACHE_PINS_2: 'c' }), [
      'ENTREPOT_CACHE_PINS_2: cache.pins[2]: leaves a gap in the list; write 1 as the next index',
    ]);
  });

  test('(4) changes one item of a list that is there', async () => {
    const { config } = await loadText('cache: { pins: [x.io/a, x.io/b] }', {
      ENTREPOT_CACHE_PINS_1: 'x.io/c',
      ENTREPOT_CACHE_PINS_2: 'x.io/d',
    });
    assert.deepEqual(config.cache.pins, ['x.io/a', 'x.io/c', 'x.io/d']);
    const one = await loadText('cache: { pins: x.io/a }', { ENTREPOT_CACHE_PINS_1: 'x.io/b' });
    assert.deepEqual(one.config.cache.pins, ['x.io/a', 'x.io/b']);
  });

  test('(5) reaches the options of redis without a step between', async () => {
    const { notices } = await loadText(file, { REGISTRY_REDIS_ADDRS_0: 'redis:6379' });
    assert.match(notices.join('\n'), /^redis \(REGISTRY_REDIS_ADDRS_0\) is not needed and ignored/u);
  });

  test('(6) ignores what nobody knows with a notice, and what Kubernetes makes for a Service without one', async () => {
    const { config, notices } = await loadText(file, {
      REGISTRY_PORT: 'tcp://10.0.0.1:5000',
      REGISTRY_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
      REGISTRY_PORT_5000_TCP_PROTO: 'tcp',
      REGISTRY_PORT_5000_TCP_PORT: '5000',
      REGISTRY_PORT_5000_TCP_ADDR: '10.0.0.1',
      REGISTRY_SERVICE_HOST: '10.0.0.1',
      REGISTRY_SERVICE_PORT: '5000',
      REGISTRY_SERVICE_PORT_REGISTRY: '5000',
      ENTREPOT_PORT_5000_TCP: 'tcp://10.0.0.1:5000',
      ENTREPOT_CACHE_SERVICE_HOST: '10.0.0.1',
      REGISTRY_HTTP_ADR: ':1',
      REGISTRY_COLOUR: 'blue',
    });
    assert.equal(config.mode, 'registry');
    assert.deepEqual(notices, [
      'REGISTRY_COLOUR is not a setting and is ignored; remove it',
      'REGISTRY_HTTP_ADR is not a setting and is ignored; write REGISTRY_HTTP_ADDR, or remove it',
    ]);
  });

  test('(7) makes two drivers of one, unless the storage is replaced first', async () => {
    const both = await problemsOf(file, { REGISTRY_STORAGE_INMEMORY: '{}' });
    assert.deepEqual(both, [
      'REGISTRY_STORAGE_INMEMORY: storage.inmemory: a second driver beside filesystem; set REGISTRY_STORAGE=inmemory as well, which replaces what the file says',
    ]);
    const { config } = await loadText(file, { REGISTRY_STORAGE: 'inmemory', REGISTRY_STORAGE_INMEMORY: '{}' });
    assert.deepEqual(config.storage, { driver: 'inmemory' });
  });

  test('goes into a storage that is one word in the file', async () => {
    const { config } = await loadText('storage: filesystem', { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: '/other' });
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/other' });
  });

  test('cannot set the version', async () => {
    const { notices } = await loadText(file, { REGISTRY_VERSION: '9' });
    assert.match(notices.join('\n'), /REGISTRY_VERSION is ignored, as registry has it; write version into the file/u);
  });

  test('reaches no key of ours, and says how to', async () => {
    const { config, notices } = await loadText(file, { REGISTRY_CACHE_SIZE: '1GB' });
    assert.equal(config.mode, 'registry');
    assert.deepEqual(notices, [
      "REGISTRY_CACHE_SIZE is ignored, for it is no setting of registry's; write ENTREPOT_CACHE_SIZE",
    ]);
  });

  test('leaves alone what only looks like a setting', async () => {
    const { notices } = await loadText(file, {
      REGISTRY_CONFIGURATION_PATH: '',
      REGISTRY_AUTH_FILE: '/run/auth.json',
      ENTREPOT_DEBUG: '1',
    });
    assert.deepEqual(notices, []);
  });

  test('takes a value as it is where a text is meant', async () => {
    const values: readonly (readonly [value: string, password: string])[] = [
      ['*secret', '*secret'],
      ['{brace', '{brace'],
      ['a: b', 'a: b'],
      ['#hash', '#hash'],
      ['12345', '12345'],
      ['yes', 'yes'],
      ['"quo\\"ted"', 'quo"ted'],
      ["'single'", 'single'],
      ['[list]', '[list]'],
    ];
    for (const [value, password] of values) {
      const { config } = await loadText(file, {
        REGISTRY_PROXY_REMOTEURL: 'https://a.b',
        REGISTRY_PROXY_USERNAME: 'u',
        REGISTRY_PROXY_PASSWORD: value,
      });
      const credentials = config.upstreams[0]?.credentials;
      assert.equal(credentials?.kind === 'static' && credentials.password.reveal(), password);
    }
    const { config } = await loadText(file, { REGISTRY_HTTP_ADDR: '[::]:5000' });
    assert.deepEqual(config.http.listen, [{ host: '::', port: 5000 }]);
  });

  test('that is empty puts the default back', async () => {
    const { config } = await loadText(`${file}log: { level: debug }`, { REGISTRY_LOG_LEVEL: '' });
    assert.equal(config.log.level, 'info');
  });

  test('whose value is broken YAML is an error that names it', async () => {
    const [problem] = await problemsOf(file, { REGISTRY_LOG: '{level: info' });
    assert.match(problem ?? '', /^REGISTRY_LOG: .*; correct the YAML of its value$/u);
  });

  test('counts nanoseconds where registry does', async () => {
    const { config } = await loadText(file, { REGISTRY_HTTP_DRAINTIMEOUT: '5000000000' });
    assert.equal(config.http.drainMs, 5_000);
  });
});

describe('ENTREPOT_*', () => {
  test('comes after REGISTRY_* and reaches every key', async () => {
    const { config } = await loadText(undefined, {
      REGISTRY_LOG_LEVEL: 'error',
      ENTREPOT_LOG_LEVEL: 'debug',
      ENTREPOT_CACHE_SIZE: '5%',
      ENTREPOT_HTTP_ADDR: '[":80", "127.0.0.1:5000"]',
    });
    assert.equal(config.log.level, 'debug');
    assert.deepEqual(config.cache.size, { kind: 'percent', percent: 5 });
    assert.equal(config.http.listen.length, 2);
  });

  test('names an upstream as it is, with _ for other characters when it is known, with __ for a dot when it is new', async () => {
    const { config } = await loadText('upstreams: { "my-registry.corp:5000": {} }', {
      'ENTREPOT_UPSTREAMS_QUAY.IO_RANGES': '1',
      ENTREPOT_UPSTREAMS_DOCKER_IO_FRESHNESS: '5m',
      ENTREPOT_UPSTREAMS_MY_REGISTRY_CORP_5000_TIMEOUTS_CONNECT: '1s',
      ENTREPOT_UPSTREAMS___GCR_IO_RANGES: '2',
      ENTREPOT_UPSTREAMS_REGISTRY__EXAMPLE__COM_URL: 'https://10.0.0.7',
    });
    const find = (name: string) => config.upstreams.find((upstream) => upstream.name === name);
    assert.equal(find('quay.io')?.ranges, 1);
    assert.deepEqual(find('docker.io')?.freshness, [{ tags: '*', forMs: 300_000 }]);
    assert.equal(find('my-registry.corp:5000')?.timeouts.connectMs, 1_000);
    assert.equal(find('*.gcr.io')?.ranges, 2);
    assert.equal(find('registry.example.com')?.url, 'https://10.0.0.7');
  });

  test('that is not a setting is an error with the nearest', async () => {
    assert.deepEqual(await problemsOf(undefined, { ENTREPOT_CACHE_SIEZ: '1GB', ENTREPOT_COLOUR: 'blue' }), [
      'ENTREPOT_CACHE_SIEZ: is not a setting; write ENTREPOT_CACHE_SIZE, or remove it',
      'ENTREPOT_COLOUR: is not a setting; remove it; `entrepot config` lists the keys',
    ]);
  });

  test('that is wrong is an error that names the variable and the key', async () => {
    assert.deepEqual(await problemsOf('cache: { size: 1GB }', { ENTREPOT_CACHE_SIZE: '32g' }), [
      'ENTREPOT_CACHE_SIZE: cache.size: "32g" may be two things; write 32GB or 32GiB',
    ]);
  });
});
