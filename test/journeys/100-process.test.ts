/**
 * The server as a process: commands that talk to it, probes that watch it, signals that end it, and what it says when it
 * cannot start.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { get, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { makeImage } from '../support/images.ts';
import { accepts, freePort } from '../support/ports.ts';
import { ServerProcess } from '../support/processes.ts';
import { pull } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ layers: [2_000_000, 5_000] });
const [layer = image.config] = image.layers;
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A registry with `library/redis:7`, and a server before it, with its probes on a port of their own. */
async function scene(http: Readonly<Record<string, unknown>> = {}) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make());
  const hub = opening.use(await CountingUpstream.start());
  hub.publish('library/redis:7', image);
  const debugPort = await freePort();
  const options = {
    directory: directory.path,
    config: {
      log: { formatter: 'json' },
      http: { debug: { addr: `127.0.0.1:${debugPort}` }, ...http },
      upstreams: { 'docker.io': { url: hub.origin } },
    },
  };
  const server = opening.use(await ServerProcess.start(options));
  const scope = opening.move();
  return {
    hub,
    options,
    server,
    probe: (path: string) => get(`http://127.0.0.1:${debugPort}${path}`),
    /** Runs one command of the command line against it. */
    run: (...args: readonly string[]) => run([...args, '--config', directory.join('entrepot.yml')]),
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
}

function run(args: readonly string[]): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1' };
  const child = execFile(process.execPath, [main, ...args], { env }, (_error, out, notes) =>
    resolve({ code: child.exitCode ?? -1, out, notes }),
  );
  return promise;
}

describe('the command line', () => {
  test('warms, shows, explains, pins, refreshes and forgets in the server that runs', async () => {
    await using at = await scene();
    const succeed = async (...args: readonly string[]): Promise<string> => {
      const { code, out, notes } = await at.run(...args);
      assert.equal(code, 0, `${args.join(' ')}: ${notes}`);
      return out;
    };
    assert.match(await succeed('pull', 'redis:7'), new RegExp(`is held: ${image.digest}`));
    at.hub.reset();
    await pull(at.server.origin, 'library/redis', '7');
    assert.equal(at.hub.count(), 0);

    const [ls, du, explain] = await Promise.all([
      succeed('ls', '--json'),
      succeed('du'),
      succeed('explain', 'redis:7'),
      succeed('pin', 'docker.io/library/redis:7'),
    ]);
    assert.deepEqual(JSON.parse(ls).images?.[0]?.tags ?? JSON.parse(ls)[0]?.tags, ['7']);
    assert.match(du, /docker\.io/);
    assert.match(explain, /^Held: /m);
    assert.match(await succeed('pin'), /docker\.io\/library\/redis:7/);
    await succeed('unpin', 'docker.io/library/redis:7');
    assert.match(await succeed('refresh', 'redis:7'), new RegExp(image.digest));
    assert.equal(at.hub.count({ method: 'HEAD' }), 1);
    await succeed('purge', 'redis:7');
    at.hub.reset();
    await pull(at.server.origin, 'library/redis', '7');
    assert.equal(at.hub.blobBytes(layer.digest).sent, layer.size);
  });

  test('says where it looked when no server runs', async () => {
    await using directory = await TempDir.make();
    const { code, notes } = await run(['ls', '--socket', directory.join('admin.sock')]);
    assert.equal(code, 1);
    assert.match(notes, /No server answers at .*admin\.sock; start one with "entrepot serve"/);
  });
});

describe('the probes', () => {
  test('say that it lives, that it is ready, and what it does', async () => {
    await using at = await scene();
    await pull(at.server.origin, 'library/redis', '7');
    assert.equal((await at.probe('/healthz')).status, 200);
    assert.deepEqual(JSON.parse((await at.probe('/readyz')).body.toString()), {});
    const metrics = (await at.probe('/metrics')).body.toString();
    assert.match(metrics, /^entrepot_upstream_requests_total\{.*upstream="docker\.io".*\} \d+$/m);
    assert.equal((await get(`${at.server.origin}/metrics`)).status, 404, 'not where clients are');
  });
});

describe('SIGTERM', () => {
  test('lets a body under way come to its end, takes no new work, and ends with 0', async () => {
    await using at = await scene();
    const gate = at.hub.gate({ path: layer.digest }, { at: 1_000_000 });
    const reading = await open(`${at.server.origin}/v2/library/redis/blobs/${layer.digest}`);
    await gate.arrived();
    process.kill(at.server.pid, 'SIGTERM');
    await at.server.printed('server.stopping');
    assert.equal(await accepts(at.server.port), false);
    assert.equal((await at.probe('/readyz')).status, 503, 'whoever balances load is told');
    gate.release();
    assert.deepEqual(await reading.rest(), layer.bytes());
    assert.deepEqual(await at.server.exited, { code: 0, signal: null });
    assert.match(at.server.logs, /server\.stopped/);
  });

  test('waits no longer than it was told to, and what had arrived is not lost', async () => {
    await using at = await scene({ draintimeout: '100ms' });
    const gate = at.hub.gate({ path: layer.digest, times: 1 }, { at: 1_000_000 });
    using reading = await open(`${at.server.origin}/v2/library/redis/blobs/${layer.digest}`);
    await gate.arrived();
    await reading.read(500_000);
    assert.deepEqual(await at.server.stop(), { code: 0, signal: null });
    await assert.rejects(reading.rest(), 'cut, not ended as if it were whole');

    await using again = await ServerProcess.start(at.options);
    await pull(again.origin, 'library/redis', '7');
    const { sent, distinct } = at.hub.blobBytes(layer.digest);
    assert.equal(distinct, layer.size);
    assert.ok(sent < layer.size + 1_000_000, `${sent} bytes`);
  });

  test('twice ends it at once', async () => {
    await using at = await scene();
    const gate = at.hub.gate({ path: layer.digest }, { at: 1_000_000 });
    using _ = await open(`${at.server.origin}/v2/library/redis/blobs/${layer.digest}`);
    await gate.arrived();
    process.kill(at.server.pid, 'SIGTERM');
    await at.server.printed('server.stopping');
    process.kill(at.server.pid, 'SIGTERM');
    assert.equal((await at.server.exited).code, 143);
  });
});

describe('SIGHUP', () => {
  test('has the configuration read again', async () => {
    await using at = await scene();
    const path = `${at.options.directory}/entrepot.yml`;
    const { http, ...others } = at.options.config;
    const addr = `127.0.0.1:${at.server.port}`;
    const offline = { version: 0.1, http: { addr, ...http }, cache: { offline: true }, ...others };
    await writeFile(path, JSON.stringify({ ...offline, upstreams: { 'docker.io': { deny: ['**'] } } }));
    process.kill(at.server.pid, 'SIGHUP');
    await at.server.printed('config.reloaded');
    assert.equal((await get(`${at.server.origin}/v2/library/redis/manifests/7`)).status, 403);
  });
});

describe('a server that cannot start', () => {
  test('says where the configuration is wrong, all of it at once', async () => {
    await using directory = await TempDir.make();
    const config = { cache: { sizze: '3GB' }, upstreams: { 'quay.io': { freshness: 'soon' } } };
    await assert.rejects(ServerProcess.start({ directory: directory.path, config }), ({ message }: Error) => {
      assert.match(message, /entrepot\.yml:\d+:\d+: cache\.sizze: unknown key; write size/);
      assert.match(message, /entrepot\.yml:\d+:\d+: upstreams\.quay\.io\.freshness: /);
      assert.match(message, /ended \(1\)/);
      assert.doesNotMatch(message, /^ {4}at /m);
      return true;
    });
  });

  test('says which port is taken, and what to do', async () => {
    await using hub = await CountingUpstream.start();
    await using directory = await TempDir.make();
    for (const [setting, http] of [
      ['http.addr', { addr: hub.authority }],
      ['http.debug.addr', { addr: '127.0.0.1:0', debug: { addr: hub.authority } }],
    ] as const) {
      await assert.rejects(
        ServerProcess.start({ directory: directory.path, config: { http } }),
        new RegExp(
          `cannot listen on ${hub.authority}: another process listens there; stop it or set another ${setting}\\n`,
        ),
      );
    }
  });

  test('does not say that it listens where another server has its socket', async () => {
    await using one = await TempDir.make();
    await using other = await TempDir.make();
    const admin = { socket: one.join('admin.sock') };
    await using _ = await ServerProcess.start({ directory: one.path, config: { admin } });
    const path = other.join('entrepot.yml');
    const config = { log: { formatter: 'json' }, http: { addr: '127.0.0.1:0' }, cache: {}, admin };
    await writeFile(path, JSON.stringify({ ...config, storage: { filesystem: { rootdirectory: other.join('s') } } }));
    const { code, notes } = await run(['serve', path]);
    assert.equal(code, 1);
    assert.match(notes, /another server listens on .*admin\.sock/);
    assert.doesNotMatch(notes, /server\.listening/);
  });

  test('says that its directory is none', async () => {
    await using directory = await TempDir.make();
    await writeFile(directory.join('file'), '');
    const config = { storage: { filesystem: { rootdirectory: directory.join('file/registry') } } };
    await assert.rejects(
      ServerProcess.start({ directory: directory.path, config }),
      /file\/registry.*storage\.filesystem\.rootdirectory/,
    );
  });
});

describe('a command whose output goes nowhere', () => {
  const on = (out: string, notes: string, words: string) =>
    spawnSync('/bin/sh', ['-c', `timeout -s TERM 3 "$0" "$1" ${words} >${out} 2>${notes}`, process.execPath, main], {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });

  test('says so, without a stack, where it is what was asked for', async () => {
    await using dir = await TempDir.make();
    const notes = dir.join('notes');
    assert.equal(on('/dev/full', notes, 'config').status, 1);
    assert.match(await readFile(notes, 'utf8'), /^What was asked for cannot be written \(ENOSPC: .*\); look at .*\n$/);
  });

  test('does its work where it is only what it says beside that: a server serves until it is stopped', async () => {
    await using dir = await TempDir.make();
    const config = {
      http: { addr: '127.0.0.1:0', debug: {} },
      storage: { filesystem: { rootdirectory: dir.join('data') } },
    };
    await writeFile(dir.join('entrepot.yml'), JSON.stringify(config));
    assert.equal(
      on('/dev/null', '/dev/full', `serve ${dir.join('entrepot.yml')}`).status,
      124,
      'timeout has stopped it',
    );
  });
});
