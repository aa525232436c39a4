import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { exchangeBytes } from '../../test/support/http-client.ts';
import { HttpServers } from '../../test/support/http-server.ts';
import type { Handler } from './message.ts';
import { prepareHeaders } from './prepared-headers.ts';

const servers = new HttpServers();
afterEach(async () => {
  await servers.close();
});

const isShort = (url: string): boolean => url.startsWith('/short');

const asked = (method: string): string => `${method} /short HTTP/1.1\r\nHost: a\r\n\r\n`;
const last = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

test('an answer that is known at once, with headers written out before, is the same with and without Node’s HTTP', async () => {
  const prepared = prepareHeaders({ 'Content-Length': '2', ETag: '"a: b"', 'X-Empty': '' });
  const handler: Handler = () => ({
    status: 200,
    headers: { Age: '1' },
    prepared,
    body: { kind: 'bytes', bytes: Buffer.from('ok') },
  });
  for (const method of ['GET', 'HEAD']) {
    const answers: string[][] = [];
    for (const options of [{ isShort }, {}]) {
      const { port } = await servers.serve(handler, options);
      const [answer = ''] = (await exchangeBytes(port, asked(method), last)).split(/(?=HTTP\/1\.1 )/);
      const lines = answer.split('\r\n');
      answers.push(lines.map((line) => line.replace(/^(X-Request-Id|Date): .*/, '$1')).sort());
    }
    const [one = [], other = []] = answers;
    assert.deepEqual(one, other);
    assert.ok(one.includes('ETag: "a: b"') && one.includes('X-Empty: ') && one.includes('Content-Length: 2'));
    assert.equal(one.includes('ok'), method === 'GET');
  }
});

test('headers that HTTP cannot carry are not prepared', () => {
  assert.throws(() => prepareHeaders({ 'X-Bad': 'a\r\nSet-Cookie: b' }), /X-Bad/);
});

test('a handler that fails at once is answered for like any other', async () => {
  const fails: Handler = () => {
    throw new Error('a bug');
  };
  const { port, logOf } = await servers.serve(fails, { isShort });
  assert.match(await exchangeBytes(port, asked('GET'), last), /^HTTP\/1\.1 500 /);
  assert.equal((await logOf(1))[0]?.errorCode, 'UNKNOWN');
});
