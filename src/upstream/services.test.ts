import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { systemClock } from '../observe/clock.ts';
import type { Environment } from './proxy.ts';
import { createServices } from './services.ts';
import type { ServiceAnswer } from './services.ts';

/**
 * What a service answers, asked by a proxy that listens at the address that is given, and what that was told: each request
 * with its host and its body. It redirects what ends in `/moved`, and makes no tunnels.
 */
async function by(
  environment: (proxy: string) => Environment,
  url: string,
): Promise<readonly [ServiceAnswer, string[]]> {
  const told: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray()).toString();
    const { host, 'x-of-ours': ours } = request.headers;
    told.push(`${request.method} ${request.url} ${host} ${String(ours)} ${body}`);
    const isMoved = request.url?.endsWith('/moved') === true;
    response.writeHead(isMoved ? 307 : 202, isMoved ? { Location: '/here' } : {}).end();
  };
  const proxy = createServer((request, response) => void answer(request, response));
  proxy.on('connect', (request, socket) => {
    told.push(`CONNECT ${request.url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  try {
    await using services = createServices(
      systemClock,
      environment(`127.0.0.1:${(proxy.address() as AddressInfo).port}`),
    );
    const headers = { 'X-Of-Ours': ['1'] };
    return [await services.ask({ url, method: 'POST', headers, body: 'news', timeoutMs: 60_000 }), told];
  } finally {
    proxy.close();
  }
}

describe('a service', () => {
  test('is asked by the same proxies of the environment as upstreams, however they are written', async () => {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY']) {
      const [answer, told] = await by((proxy) => ({ [name]: proxy }), 'http://ci.test/hook?a=b');
      assert.deepEqual(answer, { status: 202 });
      assert.deepEqual(told, ['POST http://ci.test/hook?a=b ci.test 1 news']);
    }
  });

  test('that has moved is asked by them again', async () => {
    const [answer, told] = await by((proxy) => ({ HTTP_PROXY: `http://${proxy}` }), 'http://ci.test:81/moved');
    assert.deepEqual(answer, { status: 202 });
    assert.deepEqual(told, [
      'POST http://ci.test:81/moved ci.test:81 1 news',
      'POST http://ci.test:81/here ci.test:81 1 news',
    ]);
  });

  test('that no proxy lets us reach is a problem, and not a failure of whoever asks', async () => {
    const [answer, told] = await by((proxy) => ({ ALL_PROXY: proxy }), 'https://ci.test/hook');
    const problem = 'the outbound proxy refused to connect to ci.test:443 (403)';
    assert.deepEqual(answer, { status: undefined, problem });
    assert.deepEqual(told, ['CONNECT ci.test:443']);
    const [unreached] = await by(() => ({ HTTPS_PROXY: 'socks5://127.0.0.1:1' }), 'https://ci.test/hook');
    assert.match(unreached.status === undefined ? unreached.problem : '', /ECONNREFUSED/);
  });
});
