import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError } from './error.ts';
import { configJsonSchema } from './json-schema.ts';
import { loadConfig } from './load.ts';
import { loadText, problemsOf } from './testing.ts';

describe('without a file', () => {
  test('it is a cache of every public registry for this machine alone', async () => {
    const { config, notices, origins } = await loadText(undefined);
    assert.equal(config.mode, 'entrepot');
    assert.deepEqual(config.http.listen, [{ host: '127.0.0.1', port: 5000 }]);
    assert.deepEqual(config.http.debug, {
      listen: { host: '127.0.0.1', port: 5001 },
      required: false,
      prometheusPath: '/metrics',
      takesHealth: false,
    });
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/var/lib/entrepot' });
    assert.deepEqual(config.index, { kind: 'sqlite', path: '/var/lib/entrepot/entrepot/index.db' });
    assert.equal(config.admin.socket, '/var/lib/entrepot/entrepot/admin.sock');
    assert.deepEqual(config.hosted.names, ['*', 'local/**']);
    assert.deepEqual(config.cache.size, { kind: 'free-at-first-start', percent: 80 });
    assert.equal(config.cache.unusedMs, Number.POSITIVE_INFINITY);
    assert.equal(config.defaultUpstream, 'docker.io');
    assert.equal(config.http.drainMs, 30_000);
    assert.deepEqual(notices, []);
    assert.equal(origins.size, 0);
  });

  test('a user who is not root keeps content at home', async () => {
    const machine = { isRoot: false, home: '/home/u', dataHome: undefined };
    const { config } = await loadConfig({ env: {}, machine });
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/home/u/.local/share/entrepot' });
    const elsewhere = await loadConfig({ env: {}, machine: { ...machine, dataHome: '/data' } });
    assert.deepEqual(elsewhere.config.storage, { driver: 'filesystem', rootDirectory: '/data/entrepot' });
  });

  test('a variable of ours leaves it what it is', async () => {
    const { config } = await loadText(undefined, { ENTREPOT_LOG_LEVEL: 'debug' });
    assert.equal(config.mode, 'entrepot');
    assert.equal(config.log.level, 'debug');
  });
});

describe('a file', () => {
  test('of ours listens everywhere unless it says where', async () => {
    const { config } = await loadText('cache: { size: 100GB, diskfree: 2% }');
    assert.deepEqual(config.http.listen, [{ host: undefined, port: 5000 }]);
    assert.deepEqual(config.cache.size, { kind: 'bytes', sizeBytes: 100e9 });
    assert.deepEqual(config.cache.diskFree, { kind: 'percent', percent: 2 });
  });

  test('may list several addresses', async () => {
    const { config } = await loadText('index: sqlite\nhttp: { addr: [":5000", "[::1]:80"] }');
    assert.deepEqual(config.http.listen, [
      { host: undefined, port: 5000 },
      { host: '::1', port: 80 },
    ]);
  });

  test('that is empty, or says only how to log, is still a cache', async () => {
    assert.equal((await loadText('')).config.mode, 'entrepot');
    assert.equal((await loadText('# nothing\n')).config.mode, 'entrepot');
    assert.equal((await loadText('log: { level: warn }')).config.mode, 'entrepot');
  });

  test('keeps texts that look like numbers, and takes yes for true', async () => {
    const { config } = await loadText(`
log: { fields: { service: registry, zone: 3 } }
http: { relativeurls: yes }
upstreams:
  registry.corp: { credentials: { username: 007, password: 0x10 }, family: 4 }
`);
    const upstream = config.upstreams.find((each) => each.name === 'registry.corp');
    assert.equal(config.http.relativeUrls, true);
    assert.deepEqual(config.log.fields, { service: 'registry', zone: 3 });
    assert.equal(upstream?.family, '4');
    assert.equal(
      upstream?.credentials.kind === 'static' &&
        `${upstream.credentials.username} ${upstream.credentials.password.reveal()}`,
      '007 0x10',
    );
  });

  test('may use anchors and merge keys', async () => {
    const { config } = await loadText(`
upstreams:
  one.corp: &corp { concurrency: 3, timeouts: { connect: 1s } }
  two.corp: { <<: *corp, concurrency: 5 }
`);
    const two = config.upstreams.find((each) => each.name === 'two.corp');
    assert.equal(two?.concurrency, 5);
    assert.deepEqual(two?.timeouts, { connectMs: 1_000, headersMs: 10_000, stallMs: 30_000 });
  });

  test('has a place for anchors of their own in keys that begin with x-, at its top alone', async () => {
    const { config, origins } = await loadText(`
x-corp: &corp { concurrency: 3 }
upstreams: { one.corp: { <<: *corp } }
`);
    assert.equal(config.upstreams.find(({ name }) => name === 'one.corp')?.concurrency, 3);
    assert.deepEqual([...origins.keys()], ['upstreams.one.corp.concurrency']);
    assert.deepEqual(configJsonSchema()['patternProperties'], { '^x-': {} });
    assert.match((await problemsOf('cache: { x-size: 1GB }')).join(), /cache\.x-size: unknown key/);
  });

  test('is one document', async () => {
    assert.deepEqual(await problemsOf('cache: {}\n---\nhttp: {}\n'), [
      'config.yml:2:1: a second document begins here; a configuration is one: remove this line, or what follows it',
    ]);
  });

  test('in memory has its index and socket elsewhere', async () => {
    const { config } = await loadText('storage: inmemory\nindex: sqlite');
    assert.deepEqual(config.storage, { driver: 'inmemory' });
    assert.deepEqual(config.index, { kind: 'sqlite-memory' });
    assert.equal(config.admin.socket, '/run/user/0/entrepot-5000/admin.sock');
  });

  test('counts relative paths from the working directory', async () => {
    const { config } = await loadText('index: sqlite\nstorage: { filesystem: { rootdirectory: data } }');
    assert.deepEqual(config.storage, { driver: 'filesystem', rootDirectory: '/srv/data' });
  });

  test('says where each value stands', async () => {
    const { origins } = await loadText('cache:\n  size: 1GB\nupstreams:\n  quay.io: { deny: ["a/**", "b/**"] }\n', {
      ENTREPOT_CACHE_OFFLINE: 'true',
    });
    assert.deepEqual(origins.get('cache.size'), { kind: 'file', file: 'config.yml', line: 2, column: 9 });
    assert.deepEqual(origins.get('upstreams.quay.io.deny[1]'), {
      kind: 'file',
      file: 'config.yml',
      line: 4,
      column: 29,
    });
    assert.deepEqual(origins.get('cache.offline'), { kind: 'env', name: 'ENTREPOT_CACHE_OFFLINE' });
  });

  test('whose root is too long for a socket goes without one, and says so', async () => {
    const root = `/${'x'.repeat(120)}`;
    const { config, notices } = await loadText(`index: sqlite\nstorage: { filesystem: { rootdirectory: ${root} } }`);
    assert.equal(config.admin.socket, undefined);
    assert.match(notices.join('\n'), /no admin socket.*set admin\.socket to a shorter path/u);
    assert.match(
      (await problemsOf(`admin: { socket: ${root} }`)).join('\n'),
      /config\.yml:1:18: admin\.socket: .*write a shorter one/u,
    );
  });
});

describe('the file itself', () => {
  test('is read from the path, from our variable, or from that of registry', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'entrepot-config-'));
    try {
      const path = join(directory, 'config.yml');
      const password = join(directory, 'password');
      await writeFile(password, 'hunter2\n');
      await writeFile(path, `upstreams: { quay.io: { credentials: { username: u, passwordfile: ${password} } } }\n`);
      for (const options of [
        { path, env: {} },
        { env: { ENTREPOT_CONFIGURATION_PATH: path } },
        { env: { REGISTRY_CONFIGURATION_PATH: path } },
        { env: { ENTREPOT_CONFIGURATION_PATH: '', REGISTRY_CONFIGURATION_PATH: path } },
      ]) {
        const { config, files } = await loadConfig(options);
        assert.equal(config.file, path);
        assert.deepEqual(files, [path, password]);
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('is none where the variables that name one are empty', async () => {
    const { config } = await loadConfig({ env: { ENTREPOT_CONFIGURATION_PATH: '', REGISTRY_CONFIGURATION_PATH: '' } });
    assert.equal(config.file, undefined);
  });

  test('that is not there is an error which names it', async () => {
    await assert.rejects(
      loadConfig({ path: '/nowhere/config.yml', env: {} }),
      (error) =>
        error instanceof ConfigError &&
        error.message.startsWith('/nowhere/config.yml:1:1: does not exist; check the path'),
    );
  });

  test('that is a directory, or huge, is an error too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'entrepot-config-'));
    try {
      await assert.rejects(
        loadConfig({ path: directory, env: {} }),
        (error) => error instanceof ConfigError && /EISDIR/u.test(error.message),
      );
      const path = join(directory, 'huge.yml');
      await writeFile(path, Buffer.alloc(1024 * 1024 + 1, 0x23));
      await assert.rejects(
        loadConfig({ path, env: {} }),
        (error) => error instanceof ConfigError && /larger than 1048576 bytes/u.test(error.message),
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
