import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { makeAuthority, testAuthority } from '../../test/support/certificates.ts';
import { exchangeBytes, fetchRaw } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import { serverTls } from '../../test/support/server-tls.ts';
import type { Asked, Identity } from '../certificates/identity.ts';
import type { ServerTls } from '../certificates/server-tls.ts';
import type { Handler, Lobby } from './message.ts';

const servers = new HttpServers();
const authority = testAuthority();

afterEach(async () => {
  await servers.close();
});

const certificate = authority.issue(['localhost']);
const ours = serverTls(certificate);

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

  test('answers many who ask at the same time and say no more', async () => {
    const handler: Handler = ({ url }) => textReply(url);
    const { port, logOf } = await servers.serve(handler, { tls: ours, isShort: () => true });
    const sockets = await Promise.all(Array.from({ length: 40 }, () => openTls(port)));
    for (const [each, socket] of sockets.entries()) socket.end(get(`/${each};`));
    const answers = await Promise.all(sockets.map((socket) => socket.toArray()));
    assert.deepEqual(
      answers.map((chunks) => /\/\d+;$/.exec(chunks.join(''))?.[0]),
      sockets.map((_, each) => `/${each};`),
    );
    assert.ok((await logOf(40)).every(({ complete }) => complete));
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
    const { port } = await servers.serve(hello, {
      tls: serverTls(certificate, { settings: { minVersion: 'TLSv1.3' } }),
    });
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

describe('an identity', () => {
  test('that is another one is shown from the next connection on, and those under way go on', async () => {
    const other = makeAuthority('Another authority');
    const later = serverTls(other.issue(['localhost']));
    let now = ours;
    const tls: ServerTls = { ...ours, identityFor: (asked) => now.identityFor(asked) };
    const { port } = await servers.serve(hello, { tls });
    const early = await openTls(port);
    now = later;
    assert.equal(await fetchTls(port, '/', other.ca), 'hello GET /');
    await assert.rejects(fetchTls(port), /certificate/);
    early.write(get('/early', close));
    const [answer] = (await once(early, 'data')) as [Buffer];
    assert.match(answer.toString(), /hello GET \/early/);
  });

  test('is asked for by the name of the handshake, and by our address where there is none', async () => {
    const asked: Asked[] = [];
    const tls: ServerTls = { ...ours, identityFor: (each) => (asked.push(each), ours.identityFor(each)) };
    const { port } = await servers.serve(hello, { tls });
    (await openTls(port)).destroy();
    (await openTls(port, { servername: '', checkServerIdentity: () => undefined })).destroy();
    const unnamed = { serverName: undefined, localAddress: '127.0.0.1' };
    assert.deepEqual(asked, [unnamed, { ...unnamed, serverName: 'localhost' }, unnamed]);
  });

  test('that cannot be had ends the handshake, and nothing else', async () => {
    const identityFor = (each: Asked): Identity => {
      if (each.serverName === 'nobody.example') throw new Error('nobody');
      return ours.identityFor(each);
    };
    const { port } = await servers.serve(hello, { tls: { ...ours, identityFor } });
    await assert.rejects(openTls(port, { servername: 'nobody.example' }));
    assert.equal(await fetchTls(port), 'hello GET /');
  });
});

describe('a port for TLS alone', () => {
  const tls = serverTls(certificate, { plain: false });

  test('tells a client that speaks plain HTTP what to do', async () => {
    const { port, logOf } = await servers.serve(hello, { tls });
    const answer = await fetchRaw(port, '/v2/');
    assert.equal(answer.status, 400);
    const { errors } = JSON.parse(answer.body.toString()) as { errors: { code: string; message: string }[] };
    assert.equal(errors[0]?.code, 'REQUEST_INVALID');
    assert.match(errors[0]?.message ?? '', /^Client sent an HTTP request to an HTTPS server\. Ask with https:/);
    assert.equal(await fetchTls(port), 'hello GET /');
    assert.deepEqual(
      (await logOf(2)).map(({ status }) => status),
      [400, 200],
    );
  });

  test('gives everybody what is for everybody', async () => {
    const lobby: Lobby = ({ url }) => (url === '/ca.crt' ? textReply('trust me') : undefined);
    const { port } = await servers.serve(hello, { tls, lobby });
    assert.equal((await fetchRaw(port, '/ca.crt')).body.toString(), 'trust me');
    assert.equal(await fetchTls(port, '/ca.crt'), 'trust me');
    assert.equal((await fetchRaw(port, '/')).status, 400);
  });
});
