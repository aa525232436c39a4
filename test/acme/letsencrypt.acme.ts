/**
 * Certificates for public names from a real ACME server: got, kept, renewed, and missed without harm. `npm run acme`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/ports.ts';
import { ServerProcess } from '../support/processes.ts';
import { TempDir } from '../support/temp-dir.ts';
import { Pebble } from './pebble.ts';
import type { PebbleOptions } from './pebble.ts';

const hosts = ['cache.example.com', 'registry.example.com'];
const minuteMs = 60_000;
const dayMs = 86_400_000;

async function scene(ways: (port: number) => Promise<Pick<PebbleOptions, 'tlsPort' | 'httpPort'>>) {
  await using opening = new AsyncDisposableStack();
  const dir = opening.use(await TempDir.make());
  const port = await freePort();
  const pebble = opening.use(await Pebble.start({ hosts, ...(await ways(port)) }, 9));
  const clock = new FakeClock(Date.now());
  const kept = dir.join('kept');
  const letsencrypt = { cachefile: kept, email: 'ops@example.com', hosts, directoryurl: pebble.directoryUrl };
  const tls = { letsencrypt: { ...letsencrypt, ca: pebble.caPath } };
  const start = () =>
    Entrepot.start({ config: { http: { addr: `127.0.0.1:${port}`, tls } }, clock, directory: dir.path });
  const scope = opening.move();
  return { dir, kept, port, pebble, clock, start, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const byTls = async (port: number) => ({ tlsPort: port, httpPort: await freePort() });
const byHttp = async (port: number) => ({ tlsPort: await freePort(), httpPort: port });

/** The certificate that a client sees who trusts that authority alone; `undefined` when the client turns away. */
async function shown(port: number, servername: string, ca: string): Promise<X509Certificate | undefined> {
  const socket = connect({ port, host: '127.0.0.1', servername, ca });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate();
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

async function serialsOf(port: number, ca: string): Promise<string[]> {
  const all = await Promise.all(hosts.map((host) => shown(port, host, ca)));
  return all.map((each) => each?.serialNumber ?? 'refused');
}

/** The server's time moves by the clock, the ACME server answers in its own: slowly, so that it is not hung up on. */
async function until(clock: FakeClock, entrepot: Entrepot, met: () => boolean): Promise<void> {
  const late = AbortSignal.timeout(120_000);
  while (!met()) {
    await clock.advance(100);
    assert.ok(!late.aborted, `in vain: ${JSON.stringify(entrepot.told('certificate.failed'))}`);
    await sleep(10);
  }
}

const obtained = (entrepot: Entrepot): number => entrepot.told('certificate.obtained').length;

/**
 * However often it fails before: every other time it tries the way that does not lead here, and a leap of the clock may
 * hang up on the ACME server.
 */
async function untilObtained(clock: FakeClock, entrepot: Entrepot, count: number): Promise<void> {
  while (obtained(entrepot) < count) {
    const failed = entrepot.told('certificate.failed');
    await clock.advance(failed.at(-1)?.againInMs ?? 0);
    const hasFailedAgain = (): boolean => entrepot.told('certificate.failed').length > failed.length;
    await until(clock, entrepot, () => obtained(entrepot) >= count || hasFailedAgain());
  }
}

describe('a server with http.tls.letsencrypt', () => {
  test('gets a certificate for each name by its own TLS port, keeps them, and replaces them in time', async () => {
    await using at = await scene(byTls);
    const { port, clock, pebble, kept } = at;
    const first = await pebble.root();
    let [root, renewed]: [string, string[]] = ['', []];
    {
      await using entrepot = await at.start();
      const own = (await get(`http://127.0.0.1:${port}/ca.crt`)).body.toString();
      assert.ok(await shown(port, 'cache.example.com', own), 'one of our own until then');
      await until(clock, entrepot, () => obtained(entrepot) === hosts.length);
      assert.deepEqual(entrepot.told('certificate.failed'), []);
      const serials = await serialsOf(port, first);
      assert.equal(new Set(serials).size, hosts.length);
      assert.ok(!serials.includes('refused'));
      assert.ok(await shown(port, 'other.example', own), 'one of our own for other names');
      assert.deepEqual((await readdir(kept)).toSorted(), ['acme_account+key', ...hosts]);
      for (const name of await readdir(kept)) assert.equal((await stat(`${kept}/${name}`)).mode & 0o777, 0o600, name);
      const account = await readFile(`${kept}/acme_account+key`, 'utf8');

      await pebble.stop();
      await pebble.begin(365);
      await clock.advance(5.9 * dayMs);
      assert.deepEqual(await serialsOf(port, first), serials, 'nobody is asked before a third of its life is left');
      await clock.advance(0.2 * dayMs);
      await untilObtained(clock, entrepot, 2 * hosts.length);
      root = await pebble.root();
      renewed = await serialsOf(port, root);
      assert.ok(renewed.every((serial) => serial !== 'refused' && !serials.includes(serial)));
      assert.equal(await readFile(`${kept}/acme_account+key`, 'utf8'), account);
    }
    await pebble.stop();
    await using again = await at.start();
    await clock.advance(dayMs);
    assert.deepEqual(await serialsOf(port, root), renewed, 'after a restart, without asking');
    assert.deepEqual(again.told('certificate.failed'), []);
    assert.deepEqual(again.told('certificate.obtained'), []);
  });

  test('gets it over plain HTTP where its TLS port cannot be reached', async () => {
    await using at = await scene(byHttp);
    await using entrepot = await at.start();
    await until(at.clock, entrepot, () => entrepot.told('certificate.failed').length >= hosts.length);
    const [failed] = entrepot.told('certificate.failed');
    assert.match(failed?.message ?? '', /no certificate for cache\.example\.com: .*; make sure that .* leads to this/);
    await untilObtained(at.clock, entrepot, hosts.length);
    assert.ok(!(await serialsOf(at.port, await at.pebble.root())).includes('refused'));
  });

  test('serves while the ACME server is away, says what to do, and asks less and less often', async () => {
    await using at = await scene(byTls);
    await at.pebble.stop();
    await using entrepot = await at.start();
    assert.equal((await get(`http://127.0.0.1:${at.port}/v2/`)).status, 200);
    for (let tries = 1; tries <= 3; tries += 1) {
      await until(at.clock, entrepot, () => entrepot.told('certificate.failed').length >= tries * hosts.length);
      await at.clock.advance(5 * minuteMs * (2 ** (tries - 1) + 1));
    }
    const [failed] = entrepot.told('certificate.failed');
    assert.match(failed?.message ?? '', /ECONNREFUSED.*let this machine reach it/);
    const waits = entrepot.told('certificate.failed').map(({ againInMs }) => againInMs / minuteMs);
    assert.deepEqual(waits.slice(0, 3 * hosts.length), [5, 5, 10, 10, 20, 20]);
    const own = (await get(`http://127.0.0.1:${at.port}/ca.crt`)).body.toString();
    assert.ok(await shown(at.port, 'cache.example.com', own));
    await at.pebble.begin(90);
    await untilObtained(at.clock, entrepot, hosts.length);
    assert.ok(!(await serialsOf(at.port, await at.pebble.root())).includes('refused'));
  });

  test(
    'leaves behind what registry:2 goes on with, and the other way round',
    { skip: dockerRegistryMissing() },
    async () => {
      await using at = await scene(byTls);
      const { port, pebble, kept } = at;
      const root = await pebble.root();
      let serials: string[];
      {
        await using entrepot = await at.start();
        await until(at.clock, entrepot, () => obtained(entrepot) === hosts.length);
        serials = await serialsOf(port, root);
      }
      const letsencrypt = { cachefile: kept, email: 'ops@example.com', hosts };
      const config = { http: { addr: `127.0.0.1:${port}`, tls: { letsencrypt } } };
      await using _registry = await ServerProcess.start({
        program: 'docker-registry',
        directory: at.dir.path,
        port,
        config,
      });
      assert.deepEqual(await serialsOf(port, root), serials);
    },
  );
});

function dockerRegistryMissing(): string | false {
  const missing = spawnSync('docker-registry', ['--version']).error !== undefined;
  return missing ? 'docker-registry is not installed: apt-get install docker-registry' : false;
}
