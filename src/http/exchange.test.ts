import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { exchangeBytes, fetchRaw, openSocket } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import { BufferPool } from '../bytes/buffer-pool.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Handler, Reply } from './message.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

describe('the listener', () => {
  test('hands requests to the handler and logs each of them once', async () => {
    const { port, logOf } = await servers.serve(hello);
    const reply = await fetchRaw(port, '/a?b=c', { headers: { 'User-Agent': 'tester/1' } });
    assert.equal(reply.body.toString(), 'hello GET /a?b=c');
    const [event] = await logOf(1);
    assert.ok(event !== undefined);
    const { method, url, status, clientAddress, userAgent, bytes, complete, httpVersion, requestId } = event;
    assert.deepEqual(
      { method, url, status, clientAddress, userAgent, bytes, complete, httpVersion },
      {
        method: 'GET',
        url: '/a?b=c',
        status: 200,
        clientAddress: '127.0.0.1',
        userAgent: 'tester/1',
        bytes: 16,
        complete: true,
        httpVersion: '1.1',
      },
    );
    assert.equal(reply.headers['x-request-id'], requestId);
    assert.ok(event.firstByteMs <= event.ms);
  });

  test('sends no body after HEAD, 304 and 204, whatever the handler says', async () => {
    const { port } = await servers.serve(async ({ url }) => ({
      ...textReply('body'),
      status: Number(url.slice(1)),
    }));
    for (const request of ['HEAD /200', 'GET /304', 'GET /204', 'HEAD /404']) {
      const raw = await exchangeBytes(port, `${request} HTTP/1.1\r\nHost: a\r\n${close}\r\n`);
      assert.ok(raw.endsWith('\r\n\r\n'), request);
      assert.ok(!raw.includes('body'), request);
    }
  });

  test('frames an answer without a body', async () => {
    const { port } = await servers.serve(async () => ({
      status: 202,
      headers: {},
      body: { kind: 'none' },
    }));
    const raw = await exchangeBytes(port, get('/', close));
    assert.match(raw, /Content-Length: 0\r\n/);
    assert.doesNotMatch(raw, /chunked/);
  });

  test('sends the fixed headers of the configuration with every answer', async () => {
    const headers = [['X-One', ['1', '2']]] as const;
    const { port } = await servers.serve(hello, { headers });
    assert.equal((await fetchRaw(port, '/')).headers['x-one'], '1, 2');
  });

  test('answers 500 with the request id when a handler throws, and logs why', async () => {
    const { port, logOf } = await servers.serve(() => Promise.reject(new Error('a bug')));
    const reply = await fetchRaw(port, '/');
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.body.toString(), /a bug/);
    assert.match(reply.body.toString(), new RegExp(String(reply.headers['x-request-id'])));
    const [event] = await logOf(1);
    assert.deepEqual([event?.errorCode, event?.errorMessage, event?.status], ['UNKNOWN', 'a bug', 500]);
  });

  test('answers 500 when a handler gives a header that HTTP cannot carry', async () => {
    const { port } = await servers.serve(async () => textReply('x', { 'X-Bad': 'a\r\nSet-Cookie: b' }));
    const reply = await fetchRaw(port, '/');
    assert.equal(reply.status, 500);
    assert.equal(reply.headers['set-cookie'], undefined);
  });

  test('answers pipelined requests in order, one at a time', async () => {
    let running = 0;
    const { port, logOf } = await servers.serve(async ({ url }) => {
      running += 1;
      assert.equal(running, 1);
      for (let turn = 0; turn < (url === '/1' ? 20 : 1); turn += 1) await nextTurn();
      running -= 1;
      return textReply(`<${url}>`);
    });
    const raw = await exchangeBytes(port, get('/1') + get('/2') + get('/3', close));
    assert.deepEqual(raw.match(/<\/\d>/g), ['</1>', '</2>', '</3>']);
    assert.equal((await logOf(3)).length, 3);
  });

  test('ends a connection that pipelines without end', async () => {
    let handled = 0;
    const { port, logOf } = await servers.serve(
      () => {
        handled += 1;
        return new Promise(() => {});
      },
      { limits: { pipelinedMax: 8 } },
    );
    assert.equal(await exchangeBytes(port, get('/').repeat(50)), '');
    assert.equal(handled, 1);
    const events = await logOf(9);
    assert.ok(events.every((event) => event.status === 499 && !event.complete));
  });

  test('logs a request whose client left before the answer, once', async () => {
    const entered = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Reply>();
    const { port, logOf, logged } = await servers.serve(() => {
      entered.resolve();
      return answer.promise;
    });
    const socket = await openSocket(port);
    socket.write(get('/slow'));
    await entered.promise;
    socket.destroy();
    const [event] = await logOf(1);
    answer.resolve(textReply('too late'));
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    assert.equal(logged.length, 1);
    assert.deepEqual([event?.status, event?.complete, event?.url], [499, false, '/slow']);
  });

  test('streams what has no length, and says when it ends', async () => {
    async function* chunks(): AsyncIterable<string> {
      yield 'one\n';
      await nextTurn();
      yield 'two\n';
    }
    const { port, logOf } = await servers.serve(async () => ({
      status: 200,
      headers: {},
      body: { kind: 'stream', chunks: chunks() },
    }));
    const reply = await fetchRaw(port, '/');
    assert.equal(reply.body.toString(), 'one\ntwo\n');
    assert.equal(reply.aborted, false);
    assert.equal((await logOf(1))[0]?.bytes, 8);
  });

  test('cuts a stream that fails', async () => {
    async function* chunks(): AsyncIterable<string> {
      yield 'one\n';
      throw new RegistryError('UNAVAILABLE', 'lost');
    }
    const { port, logOf, logged } = await servers.serve(async () => ({
      status: 200,
      headers: {},
      body: { kind: 'stream', chunks: chunks() },
    }));
    assert.equal((await fetchRaw(port, '/')).aborted, true);
    assert.deepEqual([(await logOf(1))[0]?.errorCode, logged[0]?.complete], ['UNAVAILABLE', false]);
  });
});

/** A blob of so many bytes that come when the test says so. */
function gatedBlob(size: number): {
  readonly handler: Handler;
  readonly feed: (count: number | Error) => void;
  readonly ended: Promise<void>;
} {
  const ended = Promise.withResolvers<void>();
  let waiting = Promise.withResolvers<number>();
  const source = {
    read: async (into: Uint8Array) => {
      const count = await waiting.promise;
      into.fill(120);
      waiting = Promise.withResolvers<number>();
      return count;
    },
    [Symbol.asyncDispose]: async () => ended.resolve(),
  };
  const slices = [{ prefix: '', start: 0, end: size, verified: true }];
  const refuse = (error: unknown) => ({ ...textReply(String(error)), status: 503 });
  const handler: Handler = async () => ({
    status: 200,
    headers: { 'Content-Length': String(size) },
    body: { kind: 'blob', source, slices, tail: '', refuse },
  });
  const feed = (count: number | Error): void => {
    if (typeof count === 'number') waiting.resolve(count);
    else waiting.reject(count);
  };
  return { handler, feed, ended: ended.promise };
}

describe('a blob that is still to come', () => {
  test('has its headers sent after a second, not when its first byte comes', async () => {
    const clock = new FakeClock();
    const { handler, feed } = gatedBlob(1);
    const { port } = await servers.serve(handler, { clock });
    const socket = await openSocket(port);
    const received: string[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    socket.write(get('/', close));
    await clock.pending(1);
    await clock.advance(999);
    assert.deepEqual(received, []);
    await clock.advance(1);
    while (received.length === 0) await nextTurn();
    assert.match(received.join(''), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
    feed(1);
    await once(socket, 'close');
    assert.match(received.join(''), /\r\n\r\nx$/);
  });

  test('is refused with a status as long as nothing was sent', async () => {
    const { handler, feed, ended } = gatedBlob(1);
    const clock = new FakeClock();
    const { port, logOf } = await servers.serve(handler, { clock });
    const reply = fetchRaw(port, '/');
    await clock.pending(1);
    feed(new Error('no luck'));
    assert.equal((await reply).status, 503);
    assert.equal((await reply).body.toString(), 'Error: no luck');
    await ended;
    assert.deepEqual([(await logOf(1))[0]?.status, (await logOf(1))[0]?.complete], [503, true]);
  });

  test('is cut when it fails after its headers', async () => {
    const clock = new FakeClock();
    const { handler, feed } = gatedBlob(2);
    const { port, logOf } = await servers.serve(handler, { clock });
    const reply = fetchRaw(port, '/');
    await clock.pending(1);
    await clock.advance(1_000);
    feed(new RegistryError('UPSTREAM_TIMEOUT', 'no luck'));
    assert.equal((await reply).aborted, true);
    const [event] = await logOf(1);
    assert.deepEqual([event?.status, event?.complete, event?.errorCode], [200, false, 'UPSTREAM_TIMEOUT']);
  });

  for (const [how, leave] of [
    ['leaves', (socket: Socket) => socket.destroy()],
    ['sends no more', (socket: Socket) => socket.end()],
  ] as const) {
    test(`is let go when its client ${how}, with its source and its buffers`, async () => {
      const pool = new BufferPool();
      const { handler, feed, ended } = gatedBlob(100);
      const { port, logOf } = await servers.serve(handler, { pool });
      const socket = await openSocket(port);
      socket.write(get('/'));
      feed(10);
      await once(socket, 'data');
      leave(socket);
      await ended;
      feed(10);
      assert.equal((await logOf(1))[0]?.complete, false);
      while (pool.lentBytes > 0) await nextTurn();
      assert.equal(pool.readers, 0);
    });
  }

  test('gives its buffers back when its client sends no more while its own buffers are full', async () => {
    const pool = new BufferPool();
    const size = 64 * 1024 * 1024;
    const slices = [{ prefix: '', start: 0, end: size, verified: true }];
    const source = { read: async (into: Uint8Array) => into.length, [Symbol.asyncDispose]: async () => {} };
    const { port, logOf } = await servers.serve(
      async () => ({
        status: 200,
        headers: { 'Content-Length': String(size) },
        body: { kind: 'blob', source, slices, tail: '', refuse: () => textReply('') },
      }),
      { pool },
    );
    const socket = await openSocket(port);
    socket.pause();
    socket.write(get('/'));
    while (pool.lentBytes === 0) await nextTurn();
    for (let turn = 0; turn < 50; turn += 1) await nextTurn();
    socket.end();
    socket.resume();
    await logOf(1);
    while (pool.lentBytes > 0) await nextTurn();
    assert.equal(pool.readers, 0);
  });

  test('counts no bytes for a HEAD', async () => {
    const { handler, ended } = gatedBlob(100);
    const { port, logOf } = await servers.serve(handler);
    const reply = await fetchRaw(port, '/', { method: 'HEAD' });
    assert.equal(reply.headers['content-length'], '100');
    await ended;
    assert.deepEqual([(await logOf(1))[0]?.bytes, (await logOf(1))[0]?.complete], [0, true]);
  });
});
