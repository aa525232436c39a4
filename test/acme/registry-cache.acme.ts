/**
 * The other way round: what `registry:2` has got from Let's Encrypt, and kept at `http.tls.letsencrypt.cachefile`, is gone
 * on with. `npm run acme`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { freePort } from '../support/ports.ts';
import { ServerProcess } from '../support/processes.ts';
import { TempDir } from '../support/temp-dir.ts';
import { Pebble } from './pebble.ts';
import { PublicName } from './public-name.ts';

const hosts = ['cache.example.com', 'registry.example.com'];

/** Of the certificate that a client sees who trusts that authority alone. */
async function serialOf(port: number, servername: string, ca: string): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', servername, ca });
  await once(socket, 'secureConnect');
  const serial = socket.getPeerX509Certificate()?.serialNumber;
  socket.destroy();
  return serial;
}

test(
  'certificates and the account that registry:2 got from Let’s Encrypt are gone on with',
  { skip: missing() },
  async () => {
    await using dir = await TempDir.make();
    const port = await freePort();
    await using pebble = await Pebble.start({ hosts, tlsPort: port, httpPort: await freePort() }, 90);
    const root = await pebble.root();
    const kept = dir.join('kept');
    const letsencrypt = { cachefile: kept, email: 'ops@example.com', hosts };
    const config = { http: { addr: `127.0.0.1:${port}`, tls: { letsencrypt } } };
    const serials: (string | undefined)[] = [];
    {
      await using name = await PublicName.of(pebble, dir.join('public.pem'));
      const directory = dir.join('registry2');
      await using _registry = await ServerProcess.start({
        program: 'docker-registry',
        directory,
        port,
        config,
        env: name.env,
      });
      for (const host of hosts) serials.push(await serialOf(port, host, root));
    }
    assert.equal(new Set(serials).size, hosts.length);
    const before = (await readdir(kept)).toSorted();
    assert.deepEqual(before, ['acme_account+key', ...hosts]);
    const account = await readFile(`${kept}/acme_account+key`, 'utf8');

    await pebble.stop();
    await using entrepot = await Entrepot.start({
      config,
      clock: new FakeClock(Date.now()),
      directory: dir.join('ours'),
    });
    for (const [at, host] of hosts.entries()) assert.equal(await serialOf(port, host, root), serials[at], host);
    for (const type of ['certificate.obtained', 'certificate.failed'] as const)
      assert.deepEqual(entrepot.told(type), []);
    assert.equal(await readFile(`${kept}/acme_account+key`, 'utf8'), account);
  },
);

function missing(): string | false {
  const isMissing = spawnSync('docker-registry', ['--version']).error !== undefined;
  return isMissing ? 'docker-registry is not installed: apt-get install docker-registry' : false;
}
