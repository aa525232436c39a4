import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { exchangeBytes, openSocket } from '../../test/support/http-client.ts';
import { close, get, hello, HttpServers, textReply } from '../../test/support/http-server.ts';
import type { Handler, Reply } from './message.ts';

const servers = new HttpServers();

afterEach(async () => {
  await servers.close();
});

const isShort = (url: string): boolean => url.startsWith('/short');
const short = { isShort };

/** Sends one request after the other on one connection. Returns the answers, each as it came. */
async function talk(port: number, requests: readonly string[]): Promise<string[]> {
  const socket = await openSocket(port);
  let received = '';
  const answers: string[] = [];
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  for (const request of requests) {
    received = '';
    socket.write(request, 'latin1');
    while (!isWhole(received, request.startsWith('HEAD'))) await once(socket, 'data');
    answers.push(received);
  }
  socket.destroy();
  return answers;
}

function isWhole(answer: string, isHead: boolean): boolean {
  const end = answer.indexOf('\r\n\r\n');
  const length = isHead ? 0 : Number(/\r\nContent-Length: (\d+)/i.exec(answer)?.[1]);
  return end >= 0 && answer.length >= end + 4 + length;
}

const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

/** Names and values, but for those that are other ones each time. */
function fieldsOf(answer: string): string[] {
  const lines = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n');
  return lines.map((line) => line.replace(/^(X-Request-Id|Date): .*/, '$1')).sort();
}

describe('a short request', () => {
  test('is answered and logged like any other', async () => {
    const { port, logOf } = await servers.serve(hello, short);
    const { port: beside, logOf: logBeside } = await servers.serve(hello);
    const request = get('/short?a', 'User-Agent: tester/1\r\n');
    const [[one = ''], [other = '']] = [await talk(port, [request]), await talk(beside, [request])];
    assert.deepEqual(fieldsOf(one), fieldsOf(other));
    assert.equal(bodyOf(one), bodyOf(other));
    const [[event], [expected]] = [await logOf(1), await logBeside(1)];
    assert.ok(event !== undefined && expected !== undefined);
    assert.ok(one.includes(`X-Request-Id: ${event.requestId}\r\n`));
    const same = { requestId: '', ms: 0, firstByteMs: 0 };
    assert.deepEqual({ ...event, ...same }, { ...expected, ...same });
  });

  test('that is to be the last one of its connection ends it with its answer', async () => {
    const { port, logged } = await servers.serve(hello, short);
    const { port: beside } = await servers.serve(hello);
    for (const fields of [close, 'Connection: Close\r\n']) {
      const request = get('/short', fields);
      const [one, other] = [await exchangeBytes(port, request), await exchangeBytes(beside, request)];
      assert.match(one, /\r\nConnection: close\r\n/);
      assert.deepEqual(fieldsOf(one), fieldsOf(other));
      assert.equal(bodyOf(one), 'hello GET /short');
    }
    assert.equal(logged.length, 2);
  });

  test('may be followed by others on its connection, short and long', async () => {
    const { port, logged } = await servers.serve(hello, short);
    const paths = ['/short/1', '/short/2', '/long/3', '/short/4', '/long/5'];
    const answers = await talk(
      port,
      paths.map((path) => get(path)),
    );
    assert.deepEqual(
      answers.map(bodyOf),
      paths.map((path) => `hello GET ${path}`),
    );
    assert.equal(logged.length, 5);
  });

  test('comes with the headers of its own', async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await servers.serve(async ({ headers }) => {
      seen.push(headers['x-a']);
      return textReply('ended');
    }, short);
    const fields = ['X-A: 1\r\n', 'X-A: 1\r\n', 'x-a:  2 \r\n', ''];
    await talk(
      port,
      fields.map((each) => get('/short', each)),
    );
    assert.deepEqual(seen, ['1', '1', '2', undefined]);
  });

  test('is read whole, however it is cut into pieces', async () => {
    const { port } = await servers.serve(hello, short);
    const socket = await openSocket(port);
    for (const piece of get('/short', close).match(/[^]{1,7}/g) ?? []) {
      socket.write(piece);
      await new Promise(setImmediate);
    }
    const chunks = (await socket.toArray()) as Buffer[];
    assert.match(Buffer.concat(chunks).toString(), /hello GET \/short$/);
  });

  test('that is pipelined waits for its turn', async () => {
    const first = Promise.withResolvers<void>();
    let running = 0;
    const { port } = await servers.serve(async (request) => {
      assert.equal((running += 1), 1);
      if (request.url === '/short/1') await first.promise;
      running -= 1;
      return await hello(request);
    }, short);
    const socket = await openSocket(port);
    socket.write(get('/short/1'));
    socket.write(get('/short/2') + get('/short/3', close));
    await new Promise(setImmediate);
    first.resolve();
    const received = Buffer.concat((await socket.toArray()) as Buffer[]).toString();
    assert.deepEqual(
      received.match(/hello GET \/short\/\d/g),
      ['1', '2', '3'].map((each) => `hello GET /short/${each}`),
    );
  });

  test('has no body in the answer to HEAD, and any bytes in others', async () => {
    const bytes = Buffer.from(Array.from({ length: 30_000 }, (_, each) => each % 256));
    for (const length of [0, 300, 30_000]) {
      const reply: Reply = {
        status: 200,
        headers: { 'Content-Length': String(length) },
        body: { kind: 'bytes', bytes: bytes.subarray(0, length) },
      };
      const { port } = await servers.serve(async () => reply, short);
      const answers = await talk(port, [get('/short'), 'HEAD /short HTTP/1.1\r\nHost: a\r\n\r\n']);
      assert.deepEqual(answers.map(bodyOf), [bytes.toString('latin1', 0, length), '']);
      assert.match(answers[1] ?? '', new RegExp(`\r\nContent-Length: ${length}\r\n`));
    }
  });

  test('whose handler throws, or gives what HTTP cannot carry, is answered 500', async () => {
    const handlers: readonly Handler[] = [
      () => Promise.reject(new Error('a bug')),
      async () => textReply('x', { 'X-Bad': 'a\r\nSet-Cookie: b' }),
      async () => ({ status: 200, headers: {}, body: { kind: 'stream', chunks: (async function* () {})() } }),
    ];
    for (const handler of handlers) {
      const { port, logOf } = await servers.serve(handler, short);
      const [answer = ''] = await talk(port, [get('/short')]);
      assert.match(answer, /^HTTP\/1\.1 500 /);
      assert.doesNotMatch(answer, /Set-Cookie/);
      assert.equal((await logOf(1))[0]?.errorCode, 'UNKNOWN');
    }
  });

  test('whose client leaves before the answer is told of once, and its handler hears of it', async () => {
    const entered = Promise.withResolvers<AbortSignal>();
    const answer = Promise.withResolvers<Reply>();
    const { port, logOf, logged } = await servers.serve(({ gone }) => {
      entered.resolve(gone);
      return answer.promise;
    }, short);
    const socket = await openSocket(port);
    socket.write(get('/short'));
    const gone = await entered.promise;
    socket.destroy();
    const [event] = await logOf(1);
    assert.equal(gone.aborted, true);
    answer.resolve(textReply('too late'));
    await new Promise(setImmediate);
    assert.deepEqual([event?.status, event?.complete, logged.length], [499, false, 1]);
  });
});

describe('a connection on the short way', () => {
  test('that says nothing is ended with a reason, and one that is idle without', async () => {
    const { port, logOf } = await servers.serve(hello, { ...short, limits: { headersMsMax: 30 } });
    assert.match(await exchangeBytes(port, ''), /^HTTP\/1\.1 408 /);
    assert.equal((await logOf(1))[0]?.status, 408);
    const { port: patient } = await servers.serve(hello, { ...short, limits: { keepAliveMs: 30 } });
    const socket = await openSocket(patient);
    socket.write(get('/short'));
    assert.match(Buffer.concat((await socket.toArray()) as Buffer[]).toString(), /hello GET \/short$/);
  });

  test('is ended with its last answer when the server closes', async () => {
    const entered = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { port, listener } = await servers.serve(async (request) => {
      entered.resolve();
      await go.promise;
      return await hello(request);
    }, short);
    const idle = await openSocket(port);
    const socket = await openSocket(port);
    socket.write(get('/short'));
    await entered.promise;
    const closed = listener.close(10_000);
    await once(idle, 'close');
    go.resolve();
    const received = Buffer.concat((await socket.toArray()) as Buffer[]).toString();
    assert.match(received, /Connection: close[^]*hello GET \/short$/);
    await closed;
  });
});
