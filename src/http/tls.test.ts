import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { makeAuthority, testAuthority } from '../../test/support/certificates.ts';
import { exchangeBytes, fetchRaw } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { BufferPool } from '../bytes/buffer-pool.ts';
import { systemClock } from '../observe/clock.ts';
import { createListener } from './listener.ts';
import type { Handler } from './message.ts';
import type { TlsOptions } from './tls.ts';

const servers = new HttpServers();
const authority = testAuthority();

afterEach(async () => {
  await servers.close();
});

function tlsOf({ cert, key }: { readonly cert: string; readonly key: string }): TlsOptions {
  return { certificate: { pem: cert }, key: { pem: key }, minimumVersion: 'TLSv1.2' };
}

const ours = tlsOf(authority.issue(['localhost']));

async function fetchTls(port: number, path = '/', ca = authority.ca): Promise<string> {
  const outgoing = request({ host: '127.0.0.1', port, path, servername: 'localhost', ca, agent: false }).end();
  const [incoming] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
  const chunks: string[] = [];
  for await (const chunk of incoming) chunks.push(String(chunk));
  return chunks.join('');
}

async function openTls(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

describe('a port with a certificate', () => {
  test('speaks TLS and plain HTTP, and knows which', async () => {
    const { port, logOf } = await servers.serve(async ({ scheme }) => textReply(scheme), { tls: ours });
    assert.equal(await fetchTls(port), 'https');
    assert.equal((await fetchRaw(port, '/')).body.toString(), 'http');
    assert.deepEqual(
      (await logOf(2)).map((event) => event.clientAddress),
      ['127.0.0.1', '127.0.0.1'],
    );
  });

  test('chooses the cheapest of the strong ciphers, whatever the client prefers', async () => {
    const { port } = await servers.serve(hello, { tls: ours });
    const ciphers = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
    const socket = await openTls(port, { ciphers });
    assert.equal(socket.getCipher().standardName, 'TLS_AES_128_GCM_SHA256');
    socket.destroy();
  });

  test('takes a first byte that comes alone', async () => {
    const { port, listener } = await servers.serve(hello, { tls: ours });
    const [first = '', ...others] = get('/', close);
    const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true });
    const received: string[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    socket.write(first);
    while (listener.connections === 0) await nextTurn();
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    socket.write(others.join(''));
    await once(socket, 'close');
    assert.match(received.join(''), /hello GET \//);
  });

  test('keeps a connection for many requests, also pipelined', async () => {
    const { port } = await servers.serve(hello, { tls: ours });
    const socket = await openTls(port);
    const received: string[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    socket.write(get('/1') + get('/2') + get('/3', close));
    await once(socket, 'close');
    assert.deepEqual(received.join('').match(/hello GET \/\d/g), ['hello GET /1', 'hello GET /2', 'hello GET /3']);
  });

  test('refuses a client that speaks an older TLS than allowed', async () => {
    const { port } = await servers.serve(hello, { tls: { ...ours, minimumVersion: 'TLSv1.3' } });
    await assert.rejects(openTls(port, { maxVersion: 'TLSv1.2' }), /alert|version/i);
    assert.equal(await fetchTls(port), 'hello GET /');
  });

  test('offers HTTP/1.1 to a client that would rather have HTTP/2', async () => {
    const { port } = await servers.serve(hello, { tls: ours });
    const socket = await openTls(port, { ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.alpnProtocol, 'http/1.1');
    socket.destroy();
  });

  test('lets go who begins a handshake and does not go on, and who says nothing', async () => {
    const { port, listener } = await servers.serve(hello, { tls: ours, limits: { headersMsMax: 100 } });
    await exchangeBytes(port, '\x16\x03\x01');
    await exchangeBytes(port);
    while (listener.connections > 0) await nextTurn();
  });

  test('survives nonsense that begins like TLS', async () => {
    const { port } = await servers.serve(hello, { tls: ours });
    await exchangeBytes(port, Buffer.concat([Buffer.from([0x16]), Buffer.alloc(500, 0x41)]));
    assert.equal(await fetchTls(port), 'hello GET /');
  });

  test('cuts a TLS connection whose blob fails midway', async () => {
    const handler: Handler = async () => ({
      status: 200,
      headers: { 'Content-Length': '100' },
      body: {
        kind: 'blob',
        source: {
          read: async (_into, position) => {
            if (position > 0) throw new Error('lost');
            return 10;
          },
          [Symbol.asyncDispose]: async () => {},
        },
        slices: [{ prefix: '', start: 0, end: 100, verified: true }],
        tail: '',
        refuse: () => textReply(''),
      },
    });
    const { port } = await servers.serve(handler, { tls: ours });
    await assert.rejects(fetchTls(port), /aborted|hang up|ECONNRESET/);
  });

  test('drains on closing', async () => {
    const entered = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { port, listener } = await servers.serve(
      async (asked) => {
        entered.resolve();
        await answer.promise;
        return await hello(asked);
      },
      { tls: ours },
    );
    const idle = await openTls(port);
    const running = fetchTls(port);
    await entered.promise;
    const closed = listener.close(10_000);
    await once(idle, 'close');
    answer.resolve();
    assert.equal(await running, 'hello GET /');
    await closed;
  });
});

describe('certificates in files', () => {
  test('are read again when told, and stay in use when the new ones are no good', async () => {
    await using dir = await TempDir.make();
    const files = { certificate: { path: dir.join('cert.pem') }, key: { path: dir.join('key.pem') } };
    const write = async ({ cert, key }: { readonly cert: string; readonly key: string }): Promise<void> => {
      await writeFile(files.certificate.path, cert);
      await writeFile(files.key.path, key);
    };
    await write(authority.issue(['localhost']));
    const { port, listener } = await servers.serve(hello, { tls: { ...files, minimumVersion: 'TLSv1.2' } });
    assert.equal(await fetchTls(port), 'hello GET /');
    const other = makeAuthority('Another authority');
    await write(other.issue(['localhost']));
    await listener.reloadTls();
    assert.equal(await fetchTls(port, '/', other.ca), 'hello GET /');
    await write({ ...authority.issue(['localhost']), cert: other.issue(['localhost']).cert });
    await assert.rejects(listener.reloadTls(), /certificate and key cannot be used together/);
    await rm(files.key.path);
    await assert.rejects(listener.reloadTls(), /http\.tls\.key: cannot read .*key\.pem/);
    assert.equal(await fetchTls(port, '/', other.ca), 'hello GET /');
  });

  test('that are missing at the start are an error that names the setting', async () => {
    const missing = { path: '/nowhere/cert.pem' };
    const listener = createListener({
      handler: hello,
      observer: { emit: () => {} },
      clock: systemClock,
      pool: new BufferPool(),
      tls: { certificate: missing, key: missing, minimumVersion: 'TLSv1.2' },
    });
    await assert.rejects(listener.listen({ host: '127.0.0.1', port: 0 }), /http\.tls\.certificate: cannot read/);
  });
});
