import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { get as ask, keepAlive } from '../../test/support/client.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { openSocket } from '../../test/support/http-client.ts';
import { close, HttpServers, textReply } from '../../test/support/http-server.ts';
import { openRequest } from '../../test/support/push.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Handler, Reply } from './message.ts';

const servers = new HttpServers();
after(() => servers.close());

/** Says how many bytes came. */
const count: Handler = async ({ body }) => {
  let bytes = 0;
  for (let piece = await body.read(); piece !== undefined; piece = await body.read()) bytes += piece.length;
  return textReply(String(bytes));
};

/** Says what went wrong. */
const tell: Handler = async (request) => {
  try {
    return await count(request);
  } catch (error) {
    assert.ok(error instanceof RegistryError);
    told.push(`${error.code} ${error.origin}`);
    throw error;
  }
};
const told: string[] = [];

const large = Buffer.alloc(20_000_000, 'x');

describe('the body of a request', () => {
  for (const [title, headers] of [
    ['with a length', {}],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
  ] as const) {
    test(`${title} comes whole, however large, and the connection lives on`, async () => {
      using agent = keepAlive();
      const { port, logOf } = await servers.serve(count, { limits: { requestBodyBytesMax: 1_000 } });
      const answer = await ask(`http://127.0.0.1:${port}/`, { method: 'PUT', body: large, headers, agent });
      assert.equal(answer.body.toString(), String(large.length));
      assert.notEqual(answer.headers.connection, 'close');
      assert.equal((await logOf(1))[0]?.status, 200);
    });
  }

  test('that is not there is no bytes', async () => {
    const { port } = await servers.serve(count);
    for (const body of [undefined, '']) {
      const options = { method: 'PUT', ...(body === undefined ? {} : { body }) };
      assert.equal((await ask(`http://127.0.0.1:${port}/`, options)).body.toString(), '0');
    }
  });

  test('is asked for no faster than it is read', async () => {
    const gate = Promise.withResolvers<void>();
    const { port } = await servers.serve(async (request) => {
      await request.body.read();
      if (request.method === 'PUT') await gate.promise;
      return await count(request);
    });
    const sending = openRequest(`http://127.0.0.1:${port}/`, 'PUT');
    let sent = false;
    const sentAll = sending.write(large).then(() => (sent = true));
    // Another request comes and goes meanwhile: had the first one been read on, it would be through by then.
    await ask(`http://127.0.0.1:${port}/`);
    assert.equal(sent, false);
    gate.resolve();
    await sentAll;
    sending.end();
    assert.equal((await sending.answer).status, 200);
  });

  test('that breaks off is an error of the client, at once', async () => {
    told.length = 0;
    const { port, logOf } = await servers.serve(tell);
    for (const end of ['destroy', 'end'] as const) {
      const socket = await openSocket(port);
      socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
      socket.resume();
      socket[end]();
    }
    await logOf(2);
    assert.deepEqual(told, ['REQUEST_INVALID client', 'REQUEST_INVALID client']);
  });

  test('whose sender falls silent ends the connection', async () => {
    told.length = 0;
    const { port, logOf } = await servers.serve(tell, { limits: { stallMsMax: 500 } });
    const socket = await openSocket(port);
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
    await logOf(1);
    assert.deepEqual(told, ['REQUEST_INVALID client']);
    socket.destroy();
  });

  test('may take longer than a small one, as long as it moves', async () => {
    const { port } = await servers.serve(count, { limits: { requestMsMax: 50 } });
    const sending = openRequest(`http://127.0.0.1:${port}/`, 'PUT');
    const until = performance.now() + 150;
    let bytes = 0;
    while (performance.now() < until) {
      await sending.write(Buffer.from('more'));
      bytes += 4;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    sending.end();
    assert.equal((await sending.answer).body.toString(), String(bytes));
  });

  test('that nobody wants is thrown away, and the answer arrives', async () => {
    const refuse: Handler = async (): Promise<Reply> => ({ ...textReply('no'), status: 405 });
    const { port } = await servers.serve(refuse, { limits: { requestBodyBytesMax: 1_000 } });
    const answer = await ask(`http://127.0.0.1:${port}/`, { method: 'PUT', body: large });
    assert.deepEqual([answer.status, answer.headers.connection], [405, 'close']);
    const small = await ask(`http://127.0.0.1:${port}/`, { method: 'PUT', body: 'small' });
    assert.deepEqual([small.status, small.body.toString()], [405, 'no']);
  });
});

describe('the body of a request that is refused', () => {
  const refuse: Handler = async (): Promise<Reply> => ({ ...textReply('no'), status: 403 });
  const put = (more: string): string => `PUT / HTTP/1.1\r\nHost: a\r\n${more}`;

  async function refused(head: string) {
    const clock = new FakeClock();
    const handled = Promise.withResolvers<void>();
    const handler: Handler = (request) => {
      handled.resolve();
      return refuse(request);
    };
    const { port, logOf } = await servers.serve(handler, { clock });
    const socket = await openSocket(port);
    const received: string[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk.toString()));
    socket.write(head);
    await handled.promise;
    // Another request comes and goes meanwhile.
    assert.equal((await ask(`http://127.0.0.1:${port}/`)).status, 403);
    const answered = async (): Promise<string> => {
      while (received.length === 0) await once(socket, 'data');
      socket.destroy();
      return received.join('');
    };
    return { clock, socket, received, logOf, answered };
  }

  test('comes first when it is short: its sender may read nothing before that', async () => {
    const { socket, received, answered } = await refused(put('Content-Length: 6\r\n\r\nabc'));
    assert.deepEqual(received, []);
    socket.write('def');
    assert.match(await answered(), /^HTTP\/1.1 403 [^]*Connection: keep-alive[^]*\r\n\r\nno$/);
  });

  test('comes first when it is short in chunks', async () => {
    const { socket, received, answered } = await refused(put('Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'));
    assert.deepEqual(received, []);
    socket.write('0\r\n\r\n');
    assert.match(await answered(), /^HTTP\/1.1 403 /);
  });

  test('is waited for no longer than a second', async () => {
    const { clock, received, answered } = await refused(put('Content-Length: 6\r\n\r\nabc'));
    await clock.advance(999);
    assert.deepEqual(received, []);
    await clock.advance(1);
    assert.match(await answered(), /^HTTP\/1.1 403 /);
  });

  test('is not waited for when it is long, or turns out to be', async () => {
    const long = 64 * 1024 + 1;
    const announced = await refused(put(`Content-Length: ${long}\r\n\r\n`));
    assert.match(await announced.answered(), /^HTTP\/1.1 403 /);
    const chunk = `${long.toString(16)}\r\n${'x'.repeat(long)}\r\n`;
    const inChunks = await refused(put(`Transfer-Encoding: chunked\r\n\r\n${chunk}`));
    assert.match(await inChunks.answered(), /^HTTP\/1.1 403 [^]*Connection: close/);
  });

  test('is not asked for when its sender holds it back', async () => {
    const { answered } = await refused(put('Content-Length: 6\r\nExpect: 100-continue\r\n\r\n'));
    assert.match(await answered(), /^HTTP\/1.1 403 /);
  });

  test('that breaks off is not waited for', async () => {
    const { socket, logOf } = await refused(put('Content-Length: 6\r\n\r\nabc'));
    socket.destroy();
    assert.equal((await logOf(2))[1]?.status, 403);
  });
});

describe('a small body', () => {
  const whole: Handler = async ({ body }) => textReply((await body.whole(5))?.toString() ?? 'too large');

  test('is had whole, or not at all', async () => {
    const { port } = await servers.serve(whole);
    const send = async (body: string, headers = {}): Promise<string> =>
      (await ask(`http://127.0.0.1:${port}/`, { method: 'PUT', body, headers })).body.toString();
    assert.equal(await send('12345'), '12345');
    assert.equal(await send('123456'), 'too large');
    assert.equal(await send('123456', { 'Transfer-Encoding': 'chunked' }), 'too large');
    assert.equal(await send(''), '');
  });

  test('must come in time, however lively its sender', async () => {
    const { port, logOf } = await servers.serve(whole, { limits: { requestMsMax: 100 } });
    const socket = await openSocket(port);
    socket.write(`PUT / HTTP/1.1\r\nHost: a\r\n${close}Content-Length: 5\r\n\r\n123`);
    const [event] = await logOf(1);
    assert.equal(event?.errorCode, 'REQUEST_INVALID');
    socket.destroy();
  });
});
