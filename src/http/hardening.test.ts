import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { exchangeBytes, fetchRaw, openSocket } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import { BufferPool } from '../bytes/buffer-pool.ts';
import { systemClock } from '../observe/clock.ts';
import type { Handler } from './message.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

/** Status and error code of a raw answer. */
function refusal(raw: string): string {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(raw)?.[1];
  const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
  const { errors } = JSON.parse(body) as { errors: [{ code: string; message: string }] };
  assert.equal(Buffer.byteLength(body, 'latin1'), Number(/Content-Length: (\d+)/.exec(raw)?.[1]));
  assert.ok(errors[0].message.length > 10);
  return `${status} ${errors[0].code}`;
}

describe('what HTTP forbids', () => {
  const smuggled = 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n';
  const rows: readonly (readonly [title: string, bytes: string, expected: string])[] = [
    ['a body framed twice', `GET / HTTP/1.1\r\nHost: a\r\n${smuggled}\r\n0\r\n\r\nX`, '400 REQUEST_INVALID'],
    [
      'a body framed twice, the other way round',
      `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
      '400 REQUEST_INVALID',
    ],
    [
      'two different lengths',
      `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
      '400 REQUEST_INVALID',
    ],
    ['a length that is none', `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd`, '400 REQUEST_INVALID'],
    [
      'an encoding that only looks chunked',
      `GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      '400 REQUEST_INVALID',
    ],
    ['a space before the colon', `GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd`, '400 REQUEST_INVALID'],
    ['a folded header', `GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n`, '400 REQUEST_INVALID'],
    ['a bare line feed', `GET / HTTP/1.1\nHost: a\n\n`, '400 REQUEST_INVALID'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', '400 REQUEST_INVALID'],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', '400 REQUEST_INVALID'],
    ['a target that is no path', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', '400 REQUEST_INVALID'],
    ['credentials in the target', 'GET http://u:p@quay.io/ HTTP/1.1\r\nHost: a\r\n\r\n', '400 REQUEST_INVALID'],
    ['TLS on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '400 REQUEST_INVALID'],
    ['nonsense', 'HELO cache\r\n\r\n', '400 REQUEST_INVALID'],
    ['headers that are too large', get('/', `X: ${'x'.repeat(40_000)}\r\n`), '431 REQUEST_INVALID'],
    ['a URL that is too long', get(`/${'x'.repeat(40_000)}`), '431 REQUEST_INVALID'],
    ['a tunnel', 'CONNECT quay.io:443 HTTP/1.1\r\nHost: quay.io:443\r\n\r\n', '405 UNSUPPORTED'],
  ];
  for (const [title, bytes, expected] of rows) {
    test(`${title} is refused in JSON, logged, and the connection ended`, async () => {
      let handled = 0;
      const { port, logOf, logged } = await servers.serve(async (request) => {
        handled += 1;
        return await hello(request);
      });
      assert.equal(refusal(await exchangeBytes(port, Buffer.from(bytes, 'latin1'))), expected);
      assert.equal(handled, 0);
      const [event] = await logOf(1);
      assert.equal(`${event?.status} ${event?.errorCode}`, `${expected.slice(0, 3)} REQUEST_INVALID`);
      assert.ok((event?.errorMessage ?? '').length > 10);
      assert.equal(event?.origin, 'client');
      assert.equal(logged.length, 1);
    });
  }

  test('headers of 30 KiB are not too large: podman asks for a thousand ranges at once', async () => {
    const { port } = await servers.serve(hello);
    const reply = await fetchRaw(port, '/', { headers: { Range: `bytes=${'1-2,'.repeat(7_500)}3-4` } });
    assert.equal(reply.status, 200);
  });

  test('the refusal arrives, however much the client sends meanwhile', async () => {
    const { port } = await servers.serve(hello);
    const raw = await exchangeBytes(port, 'NONSENSE\r\n', Buffer.alloc(8 * 1024 * 1024));
    assert.equal(refusal(raw), '400 REQUEST_INVALID');
  });

  test('an upgrade is not made, and the request answered as it stands', async () => {
    const { port } = await servers.serve(hello);
    const raw = await exchangeBytes(port, get('/', `Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n${close}`));
    assert.match(raw, /^HTTP\/1\.1 200 /);
  });

  test('a small request body is let pass and the connection lives on', async () => {
    const { port } = await servers.serve(hello);
    const raw = await exchangeBytes(port, `${get('/1', 'Content-Length: 5\r\n')}abcde${get('/2', close)}`);
    assert.deepEqual(raw.match(/hello GET \/\d/g), ['hello GET /1', 'hello GET /2']);
  });

  test('a request body without end ends the connection', async () => {
    const { port, logOf } = await servers.serve(hello, { limits: { requestBodyBytesMax: 100_000 } });
    const socket = await openSocket(port);
    socket.write(get('/', 'Transfer-Encoding: chunked\r\n'));
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const send = (error?: Error | null): void => {
      if (!error && !socket.destroyed) socket.write(chunk, send);
    };
    send();
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal((await logOf(1))[0]?.status, 200);
  });

  test('whoever waits for 100 Continue gets the answer instead', async () => {
    const { port } = await servers.serve(async () => ({ ...textReply('no'), status: 405 }));
    const raw = await exchangeBytes(
      port,
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(raw, /^HTTP\/1\.1 405 /);
    assert.match(raw, /Connection: close/);
  });
});

describe('slow clients', () => {
  const quick = { headersMsMax: 300, requestMsMax: 300 };

  test('who send headers slowly are told, and let go', async () => {
    const { port } = await servers.serve(hello, { limits: quick });
    assert.equal(refusal(await exchangeBytes(port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')), '408 REQUEST_INVALID');
  });

  test('who connect and say nothing are let go', async () => {
    const { port } = await servers.serve(hello, { limits: quick });
    await exchangeBytes(port);
  });

  test('who begin their first request late have no more time for it', async () => {
    const clock = new FakeClock();
    const isShort = (url: string): boolean => url === '/short';
    const { port, logOf } = await servers.serve(hello, { isShort, clock, limits: { headersMsMax: 60_000 } });
    const [late, ready] = [await openSocket(port), await openSocket(port)];
    const received = late.toArray();
    ready.write(get('/long'));
    await once(ready, 'data');
    await clock.advance(59_000);
    late.write('GET /sho');
    await clock.pending(1);
    await clock.advance(1_000);
    assert.equal((await logOf(2))[1]?.status, 408);
    await clock.advance(10_000);
    assert.match(Buffer.concat((await received) as Buffer[]).toString(), /^HTTP\/1\.1 408 /);
    ready.end(get('/long', close));
    const [again] = (await once(ready, 'data')) as [Buffer];
    assert.match(again.toString(), /hello GET \/long$/, 'who was in time is not asked to be again');
  });

  test('who take no bytes are let go, and the source of their bytes is ended', async () => {
    const ended = Promise.withResolvers<void>();
    const source = {
      read: async (into: Uint8Array) => into.length,
      [Symbol.asyncDispose]: async () => ended.resolve(),
    };
    const size = 1024 ** 3;
    const pool = new BufferPool();
    const handler: Handler = async () => ({
      status: 200,
      headers: { 'Content-Length': String(size) },
      body: {
        kind: 'blob',
        source,
        slices: [{ prefix: '', start: 0, end: size, verified: true }],
        tail: '',
        refuse: () => textReply(''),
      },
    });
    const { port, logOf } = await servers.serve(handler, { pool, limits: { stallMsMax: 500 } });
    const socket = await openSocket(port);
    socket.pause();
    socket.write(get('/'));
    await ended.promise;
    const [event] = await logOf(1);
    assert.equal(event?.complete, false);
    assert.ok((event?.bytes ?? 0) < 64 * 1024 * 1024, 'what was written is bounded by the buffers of the kernel');
    assert.equal(pool.lentBytes, 0);
    socket.destroy();
  });

  test('are not whose answer takes long: the handler may', async () => {
    const { port } = await servers.serve(
      async (request) => {
        await systemClock.sleep(800);
        return await hello(request);
      },
      { limits: { stallMsMax: 500 } },
    );
    assert.equal((await fetchRaw(port, '/')).status, 200);
  });
});

test('no bytes whatsoever crash the port, or reach the handler as anything but a clean request', async () => {
  const { port } = await servers.serve(async (request) => {
    assert.ok(request.url.startsWith('/'));
    assert.ok(/^[A-Z-]+$/.test(request.method));
    return textReply('ok');
  });
  const piece = fc.oneof(
    fc.constantFrom(
      'GET',
      ' ',
      '/',
      'HTTP/1.1',
      '\r\n',
      '\n',
      '\0',
      'Host: a',
      'Content-Length: 5',
      'Transfer-Encoding: chunked',
      '\r\n\r\n',
      '5\r\nabcde\r\n0\r\n\r\n',
      get('/'),
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const socket = await openSocket(port);
      socket.resume();
      socket.end(Buffer.from(pieces.join(''), 'latin1'));
      await once(socket, 'close');
    }),
    { numRuns: 100 },
  );
  assert.equal((await fetchRaw(port, '/')).status, 200);
});
