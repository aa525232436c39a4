import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { exchangeBytes, fetchRaw, openSocket } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import { BufferPool } from '../bytes/buffer-pool.ts';
import { systemClock } from '../observe/clock.ts';
import { createListener } from './listener.ts';
import type { Handler, Request } from './message.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

describe('an answer', () => {
  test('sends bodies of bytes unchanged, whatever they are and however long', async () => {
    const short = Buffer.from(Array.from({ length: 512 }, (_, each) => each % 256));
    for (const bytes of [Buffer.alloc(0), short, new Uint8Array(short), Buffer.concat(Array(100).fill(short))]) {
      const headers = { 'Content-Length': String(bytes.length) };
      const { port } = await servers.serve(async () => ({ status: 200, headers, body: { kind: 'bytes', bytes } }));
      assert.ok((await fetchRaw(port, '/')).body.equals(bytes), `${bytes.length}`);
    }
  });
});

describe('closing', () => {
  test('lets a running request end, tells its client so, and accepts no other', async () => {
    const entered = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const { port, listener } = await servers.serve(async (request) => {
      entered.resolve();
      await answer.promise;
      return await hello(request);
    });
    const idle = await openSocket(port);
    const running = exchangeBytes(port, get('/'));
    await entered.promise;
    const closed = listener.close(10_000);
    await once(idle, 'close');
    await assert.rejects(fetchRaw(port, '/'));
    answer.resolve();
    assert.match(await running, /Connection: close[^]*hello GET \//);
    await closed;
  });

  test('destroys what has not ended by the deadline', async () => {
    const entered = Promise.withResolvers<void>();
    const { port, logged, listener } = await servers.serve(() => {
      entered.resolve();
      return new Promise(() => {});
    });
    const running = exchangeBytes(port, get('/'));
    await entered.promise;
    await listener.close(20);
    assert.equal(await running, '');
    assert.equal(logged[0]?.status, 499, 'closing waits for the log');
    assert.equal(listener.connections, 0);
  });

  test('ends a kept-alive connection once its last answer is out', async () => {
    const entered = Promise.withResolvers<Request>();
    const more = Promise.withResolvers<string>();
    async function* chunks(): AsyncIterable<string> {
      yield 'begun ';
      yield await more.promise;
    }
    const { port, listener } = await servers.serve(async (request) => {
      entered.resolve(request);
      return { status: 200, headers: {}, body: { kind: 'stream', chunks: chunks() } };
    });
    const socket = await openSocket(port);
    socket.write(get('/'));
    await once(socket, 'data');
    const closed = listener.close(10_000);
    more.resolve('ended');
    await once(socket, 'close');
    await closed;
  });
});

describe('the address', () => {
  test('in use is an error that says what to do', async () => {
    const { port } = await servers.serve(hello);
    const other = createListener({
      handler: hello,
      observer: { emit: () => {} },
      clock: systemClock,
      pool: new BufferPool(),
    });
    await assert.rejects(other.listen({ host: '127.0.0.1', port }), /another process listens there; stop it or set/);
    assert.equal(other.address, undefined);
  });

  test('of the client is what a trusted proxy says, and nobody else', async () => {
    const seen: (readonly string[])[] = [];
    const handler: Handler = async (request) => {
      seen.push([request.clientAddress, request.host, request.scheme]);
      return textReply('');
    };
    const headers = {
      'X-Forwarded-For': '203.0.113.9',
      'X-Forwarded-Host': 'cache.example',
      'X-Forwarded-Proto': 'https',
    };
    const { port: plain } = await servers.serve(handler);
    await fetchRaw(plain, '/', { headers });
    const { port: trusting, logOf } = await servers.serve(handler, { trustedProxies: ['127.0.0.0/8'] });
    await fetchRaw(trusting, '/', { headers });
    await fetchRaw(trusting, '/', { headers: { 'X-Forwarded-Proto': 'gopher' } });
    assert.deepEqual(seen, [
      ['127.0.0.1', `127.0.0.1:${plain}`, 'http'],
      ['203.0.113.9', 'cache.example', 'https'],
      ['127.0.0.1', `127.0.0.1:${trusting}`, 'http'],
    ]);
    assert.deepEqual(
      (await logOf(2)).map((event) => event.clientAddress),
      ['203.0.113.9', '127.0.0.1'],
    );
  });

  test('in an absolute target is the registry that is meant, and the path is what is left', async () => {
    const seen: (readonly (string | undefined)[])[] = [];
    const { port } = await servers.serve(async ({ via, url, host }) => {
      seen.push([via && `${via.kind} ${via.host}`, url, host]);
      return textReply('');
    });
    for (const target of ['http://quay.io/v2/a?ns=b', 'HTTPS://quay.io:443', '/v2/']) {
      await exchangeBytes(port, get(target, close));
    }
    assert.deepEqual(seen, [
      ['absolute quay.io', '/v2/a?ns=b', 'quay.io'],
      ['absolute quay.io', '/', 'quay.io:443'],
      [undefined, '/v2/', 'cache'],
    ]);
  });
});
