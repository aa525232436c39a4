/**
 * One port speaks both TLS and plain HTTP, and takes a new certificate while it runs.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { makeAuthority } from '../support/certificates.ts';
import { get, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeImage } from '../support/images.ts';
import { until } from '../support/over-time.ts';
import { pull, pullAsDockerd } from '../support/pull.ts';
import { TempDir } from '../support/temp-dir.ts';

const image = makeImage({ layers: [3_000_000] });
/** The server looks at its files by the clock. */
const lookMs = 500;
const [before, after] = [makeAuthority('Before'), makeAuthority('After')];

/** A server with TLS, whose certificate comes from the authority `before`. */
async function scene(tls: Readonly<Record<string, unknown>> = {}) {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(await TempDir.make());
  const files = { certificate: directory.join('cert.pem'), key: directory.join('key.pem') };
  const certify = async (authority: typeof before): Promise<void> => {
    const { cert, key } = authority.issue(['127.0.0.1', 'localhost']);
    await writeFile(files.certificate, cert);
    await writeFile(files.key, key);
  };
  await certify(before);
  const hub = opening.use(await CountingUpstream.start());
  hub.publish('library/redis:7', image);
  const clock = new FakeClock();
  const config = { http: { tls: { ...files, ...tls } } };
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock, config }));
  const scope = opening.move();
  return { entrepot, clock, files, certify, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

/** Shakes hands with the server; rejects if it will not. */
async function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

describe('a port with a certificate', () => {
  test('serves the same image over TLS and in plain', async () => {
    await using at = await scene();
    const { origin, port } = at.entrepot;
    assert.equal(origin, `https://127.0.0.1:${port}`);
    for (let round = 0; round < 2; round++) {
      assert.equal((await pull(origin, 'library/redis', '7', { ca: before.ca })).digest, image.digest);
      assert.equal((await pullAsDockerd(`http://127.0.0.1:${port}`, 'library/redis', '7')).digest, image.digest);
    }
  });

  test('is refused by a client that does not trust it, and goes on serving others', async () => {
    await using at = await scene();
    await assert.rejects(get(`${at.entrepot.origin}/v2/`, { ca: after.ca }), /certificate/);
    assert.equal((await get(`${at.entrepot.origin}/v2/`, { ca: before.ca })).status, 200);
  });

  test('speaks no older TLS than the operator allows', async () => {
    await using at = await scene({ minimumtls: 'tls1.3' });
    const { port } = at.entrepot;
    await assert.rejects(handshake(port, { ca: before.ca, maxVersion: 'TLSv1.2' }));
    const socket = await handshake(port, { ca: before.ca });
    assert.equal(socket.getProtocol(), 'TLSv1.3');
    socket.destroy();
  });

  test('speaks no other cipher of TLS 1.2 than the operator lists', async () => {
    await using at = await scene({ ciphersuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] });
    const { port } = at.entrepot;
    const old = { ca: before.ca, maxVersion: 'TLSv1.2' } as const;
    await assert.rejects(handshake(port, { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }));
    const socket = await handshake(port, old);
    assert.equal(socket.getCipher().standardName, 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
    socket.destroy();
  });
});

describe('a new certificate', () => {
  test('is taken as soon as its files are there, while bodies under way go on', async () => {
    await using at = await scene();
    const { origin } = at.entrepot;
    const [layer = image.config] = image.layers;
    using reading = await open(`${origin}/v2/library/redis/blobs/${layer.digest}`, { ca: before.ca });
    const first = await reading.read(1_000);
    await at.certify(after);
    await until(at.clock, async () => (await statusWith(origin, after.ca)) === 200, lookMs);
    await assert.rejects(get(`${origin}/v2/`, { ca: before.ca }), /certificate/);
    assert.deepEqual(Buffer.concat([first, await reading.rest()]), layer.bytes());
  });

  test('that is none is refused in the log, and the old one stays', async () => {
    await using at = await scene();
    await writeFile(at.files.certificate, 'not a certificate');
    await until(at.clock, async () => at.entrepot.told('config.invalid').length > 0, lookMs);
    assert.match(at.entrepot.told('config.invalid')[0]?.message ?? '', /^http\.tls: .*give PEM files/);
    assert.equal(await statusWith(at.entrepot.origin, before.ca), 200);
    await at.certify(after);
    await until(at.clock, async () => (await statusWith(at.entrepot.origin, after.ca)) === 200, lookMs);
  });
});

async function statusWith(origin: string, ca: string): Promise<number | undefined> {
  return await get(`${origin}/v2/`, { ca }).then(
    ({ status }) => status,
    () => undefined,
  );
}
