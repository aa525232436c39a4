/** `GET http://host/...` on the proxy's port, to hosts that are no registry's: the same rules as for tunnels. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { NameServer } from '../faults/name-server.ts';
import { Entrepot } from '../support/entrepot.ts';
import { exchangeBytes } from '../support/http-client.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A site of this machine, and a server of ours before it. */
async function scene(intercept: Readonly<Record<string, unknown>>, answer?: RequestListener) {
  await using opening = new AsyncDisposableStack();
  const seen: Seen[] = [];
  const site = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    void request.toArray().then((chunks) => {
      seen.push({ method, url, headers, body: Buffer.concat(chunks as Buffer[]).toString() });
      if (answer !== undefined) return answer(request, response);
      response.writeHead(203, { 'Content-Type': 'text/x-site', 'Set-Cookie': ['a=1', 'b=2'] });
      response.end('the site');
    });
  });
  site.listen(0, '127.0.0.1');
  opening.defer(() => {
    site.closeAllConnections();
    site.close();
  });
  await once(site, 'listening');
  const { port } = site.address() as AddressInfo;
  const entrepot = opening.use(await Entrepot.start({ config: { intercept: { ports: [port], ...intercept } } }));
  const ask = (target: string, more = '', body = '', method = 'GET'): Promise<string> =>
    exchangeBytes(
      entrepot.port,
      `${method} ${target} HTTP/1.1\r\nHost: somewhere.else\r\nConnection: close\r\n${more}\r\n${body}`,
    );
  const scope = opening.move();
  return { seen, entrepot, ask, port, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const open = { others: 'tunnel', dial: ['127.0.0.1'] };
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

describe('a request to a host that is no registry', () => {
  test('is passed on where tunnels are, with all that is not about the proxy', async () => {
    await using at = await scene(open);
    const more =
      'Authorization: Basic YTpi\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nVia: 1.1 corner\r\nContent-Length: 5\r\n';
    const answer = await at.ask(`http://127.0.0.1:${at.port}/v2/page?q=1`, more, 'hello', 'POST');
    assert.match(answer, /^HTTP\/1\.1 203 .*\r\nContent-Type: text\/x-site\r\n/s);
    assert.match(answer, /Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n/);
    assert.match(answer, /the site/);
    const [{ method, url, headers, body } = assert.fail('it was not asked')] = at.seen;
    assert.deepEqual([method, url, body], ['POST', '/v2/page?q=1', 'hello']);
    assert.equal(headers.host, `127.0.0.1:${at.port}`, 'the target says whom it is to (RFC 9112, 3.2.2)');
    assert.equal(headers.authorization, 'Basic YTpi', 'it is the client’s, for that host');
    assert.deepEqual([headers['proxy-connection'], headers.te], [undefined, undefined]);
    assert.match(headers.via ?? '', /^1\.1 corner, 1\.1 entrepot-/);
    assert.deepEqual(
      at.entrepot.told('proxy.passed').map(({ host, how }) => [host, how]),
      [[`127.0.0.1:${at.port}`, 'tunnelled']],
    );
  });

  test('is passed on though the path is one that a registry would have', async () => {
    await using at = await scene(open);
    for (const path of ['/', '/v2/', '/v2/team/app/manifests/1', '/v2/_catalog', '/v1/search']) {
      assert.match(await at.ask(`http://127.0.0.1:${at.port}${path}`), /the site/, path);
    }
    assert.equal(at.seen.length, 5);
  });

  test('is refused and counted where tunnels are', async () => {
    await using at = await scene({ others: 'refuse', dial: ['127.0.0.1'] });
    for (const path of ['/', '/v2/team/app/manifests/1']) {
      const answer = await at.ask(`http://127.0.0.1:${at.port}${path}`);
      assert.equal(statusOf(answer), 403, answer);
      assert.match(answer, /is not a registry that this proxy serves; name it under .*intercept\.others: tunnel/);
    }
    assert.equal(at.seen.length, 0);
    assert.deepEqual(
      at.entrepot.told('proxy.passed').map(({ how }) => how),
      ['refused', 'refused'],
    );
    assert.match(at.entrepot.told('request.done')[0]?.errorMessage ?? '', /is not a registry/);
  });

  test('goes to no port and no address that a tunnel would not lead to', async () => {
    await using scope = new AsyncDisposableStack();
    const names = scope.use(
      await NameServer.start({ 'meta.example': [['169.254.169.254']], 'here.example': [['127.0.0.1']] }),
    );
    const at = scope.use(await scene({ others: 'tunnel', resolver: [names.address] }));
    const { port } = at;
    const targets = [
      `127.0.0.1:${port}`,
      `[::1]:${port}`,
      `[::ffff:127.0.0.1]:${port}`,
      `0.0.0.0:${port}`,
      `2130706433:${port}`,
      `here.example:${port}`,
      `meta.example:${port}`,
      `169.254.169.254:${port}`,
      `10.0.0.1:${port}`,
      `127.0.0.2:${at.entrepot.port}`,
      '1.1.1.1:25',
      'here.example',
    ];
    for (const target of targets) {
      const answer = await at.ask(`http://${target}/latest/meta-data`);
      assert.ok([403, 502].includes(statusOf(answer)), `${target}: ${answer}`);
    }
    for (const none of ['a b', 'a'.repeat(400), 'x:99999', 'x:0', 'u:p@quay.io', '[::1']) {
      const status = statusOf(await at.ask(`http://${none}/`));
      assert.ok(status >= 400 && status < 500, `${none}: ${status}`);
    }
    assert.equal(at.seen.length, 0);
  });

  test('is broken off when the host breaks off', async () => {
    await using at = await scene(open, (_request, response) => {
      response.writeHead(200, { 'Content-Length': '100000' });
      response.write('x'.repeat(1_000));
      setImmediate(() => response.destroy());
    });
    const answer = await at.ask(`http://127.0.0.1:${at.port}/`);
    assert.ok(statusOf(answer) === 502 || answer.length < 100_000);
    await at.entrepot.until('request.done', ({ complete }) => !complete);
  });
});
