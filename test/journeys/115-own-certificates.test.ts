/**
 * A server that makes its own certificates: for whatever name or address a client uses, from an authority that it hands
 * out itself.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { cli } from '../../src/cli/testing.ts';
import type { Ran } from '../../src/cli/testing.ts';
import { loadConfig } from '../../src/config/load.ts';
import { collectAlone } from '../../src/furnish.ts';
import { systemClock } from '../../src/observe/clock.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ layers: [100_000] });
const auto = { http: { tls: { auto: true } } };

async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

describe('a server with http.tls.auto', () => {
  test('hands out its authority, and serves images to whoever trusts it, by any name', async () => {
    await using hub = await CountingUpstream.start();
    hub.publish('library/redis:7', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub }, config: auto });
    const { port, origin } = entrepot;
    const plain = `http://127.0.0.1:${port}`;
    const answer = await get(`${plain}/ca.crt?ca=server`);
    assert.equal(answer.headers['content-type'], 'application/x-pem-file');
    const ca = answer.body.toString();
    assert.match(new X509Certificate(ca).subject, /^CN=Entrepot server CA/);
    assert.equal(origin, `https://127.0.0.1:${port}`);
    assert.equal((await pull(origin, 'library/redis', '7', { ca })).digest, image.digest);
    assert.equal((await pull(`https://localhost:${port}`, 'library/redis', '7', { ca })).digest, image.digest);
    assert.equal((await pullAsDockerd(plain, 'library/redis', '7')).digest, image.digest);
    for (const servername of ['cache.example.com', 'cache']) (await handshake(port, { servername, ca })).destroy();
    await assert.rejects(handshake(port, { servername: 'cache' }), /certificate/);
    const both = (await get(`${origin}/ca.crt`, { ca })).body.toString();
    assert.ok(both.startsWith(ca), 'with that of the transparent proxy, to be trusted at once');
    assert.match(new X509Certificate(both.slice(ca.length)).subject, /^CN=Entrepot interception CA/);
  });

  test('keeps its authority for the next start, where nobody else reads it', async () => {
    await using dir = await TempDir.make();
    const ca = async (): Promise<string> => {
      await using entrepot = await Entrepot.start({ directory: dir.path, config: auto });
      return (await get(`http://127.0.0.1:${entrepot.port}/ca.crt`)).body.toString();
    };
    assert.equal(await ca(), await ca());
    const { mode } = await stat(join(dir.path, 'registry/entrepot/certificates/server/1.pem'));
    assert.equal(mode & 0o777, 0o600);
  });

  test('wants TLS of everybody where plain is false, and still hands out its authority', async () => {
    await using entrepot = await Entrepot.start({ config: { http: { tls: { auto: true, plain: false } } } });
    const plain = `http://127.0.0.1:${entrepot.port}`;
    assert.match((await get(`${plain}/v2/`)).body.toString(), /Client sent an HTTP request to an HTTPS server/);
    const ca = (await get(`${plain}/ca.crt`)).body.toString();
    assert.equal((await get(`${entrepot.origin}/v2/`, { ca })).status, 200);
  });
});

describe('entrepot ca', () => {
  test('prints the authority, and hands over to another one on a day', async () => {
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ config: auto, clock });
    const ca = async (...args: readonly string[]): Promise<Ran> =>
      await cli(['ca', ...args, '--socket', entrepot.adminSocket], { clock });
    const served = async (): Promise<string> =>
      (await get(`http://127.0.0.1:${entrepot.port}/ca.crt?ca=server`)).body.toString();
    const old = await served();
    const { fingerprint256 } = new X509Certificate(old);
    const { out } = await ca('server');
    assert.equal(
      out,
      `server CA, for this server's own names and addresses\n` +
        `  SHA-256   ${fingerprint256}\n  valid     until 2040-01-01 (3652 d)\n  signs     now\n`,
    );
    const renewed = await ca('server', '--renew', '--in', '7d');
    assert.match(
      renewed.notes,
      /^The successor of the server CA signs from 2030-01-08 on: give it to all clients by then/,
    );
    assert.match(renewed.out, /signs {5}now\n[^]*signs {5}from 2030-01-08 on\n$/);
    const both = await served();
    assert.ok(both.startsWith(old));
    assert.equal((await ca('server', '--pem')).out, both);
    await clock.advance(8 * 86_400_000);
    assert.match((await ca('server')).out, /signs {5}now\n[^]*signs {5}no more; clients may still know no other\n$/);
    assert.equal(entrepot.told('authority.renewed').length, 1);
  });

  test('says what is wrong', async () => {
    await using entrepot = await Entrepot.start({ config: auto });
    const ca = async (...args: readonly string[]): Promise<string> =>
      (await cli(['ca', ...args, '--socket', entrepot.adminSocket], { clock: systemClock })).notes;
    assert.match(await ca('--renew'), /Which one\? Write: entrepot ca server --renew, or interception\./);
    assert.match(await ca('mine'), /There is no CA called "mine"; write server or interception\./);
    assert.match(await ca('server', '--renew', '--in', '7'), /"7" has no unit; write 7s/);
    assert.match(await ca('mine', '--renew'), /write ca=server or ca=interception/);
  });
});

test('a server without an authority of its own says so', async () => {
  await using entrepot = await Entrepot.start({ config: { intercept: { hosts: [] } } });
  const answer = await get(`${entrepot.origin}/ca.crt`);
  assert.equal(answer.status, 404);
  assert.match(answer.body.toString(), /no certificate authority of its own; ask its operator/);
  assert.equal((await get(`${entrepot.origin}/ca.crt?ca=mine`)).status, 400);
  assert.equal((await get(`${entrepot.origin}/ca.crt`, { method: 'POST' })).status, 405);
  assert.equal((await get(`${entrepot.origin}/ca.crtx`)).status, 404);
});

test('collecting without a server needs no certificate, and makes none', async () => {
  await using dir = await TempDir.make();
  const files = { certificate: dir.join('tls.crt'), key: dir.join('tls.key') };
  for (const path of Object.values(files)) await writeFile(path, 'not yet');
  const storage = { filesystem: { rootdirectory: dir.path } };
  const text = JSON.stringify({ http: { tls: { ...files, auto: true } }, storage });
  const loaded = await loadConfig({ text, env: {} });
  const around = { clock: systemClock, observer: { emit: () => {} }, env: {}, mark: 'entrepot-test' };
  const lines = await Array.fromAsync(collectAlone(loaded, { dryRun: false, untagged: false }, around));
  assert.equal(lines.at(-1)?.type, 'done');
  assert.ok(!existsSync(dir.join('entrepot/certificates')));
});
