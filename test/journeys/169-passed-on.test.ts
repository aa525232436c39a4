/** What goes through a tunnel to its registry and back: pushes of any size, and connections that come to speak something else. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { testAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { push } from '../support/push.ts';
import { secureTunnel, through } from '../support/tunnel.ts';

const first = makeImage({ seed: 'first', layers: [1_000] });
const second = makeImage({ seed: 'second', layers: [3_000_000] });
const port = 443;
const target = `registry.example:${port}`;
const base = 'http://registry.example';

/** A registry that takes pushes: another server of ours. */
async function scene(config: Readonly<Record<string, unknown>> = {}) {
  await using opening = new AsyncDisposableStack();
  const registry = opening.use(await Entrepot.start({ config: { hosted: { names: ['**'] } } }));
  const upstreams = { 'registry.example': { url: registry.origin, insecure: true, freshness: '1h' } };
  const entrepot = opening.use(await Entrepot.start({ config: { upstreams, ...config } }));
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  const agent = through(entrepot.port, { target, ca });
  const scope = opening.move();
  return { registry, entrepot, agent, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function digestAt({ agent }: Scene, tag = '1'): Promise<string | undefined> {
  const { headers } = await get(`${base}/v2/team/app/manifests/${tag}`, { agent });
  return headers['docker-content-digest'] as string | undefined;
}

describe('a push through a tunnel', () => {
  test('arrives there, and the next pull has what was pushed', async () => {
    await using at = await scene();
    await push(base, 'team/app', '1', first, { agent: at.agent });
    assert.equal(await digestAt(at), first.digest);
    await push(base, 'team/app', '1', second, { agent: at.agent });
    assert.equal(await digestAt(at), second.digest, 'an hour has not gone by');
    const { body } = await get(`${at.registry.origin}/v2/team/app/manifests/1`);
    assert.equal(body.toString(), second.bytes.toString());
  });

  test('leaves nothing of what it sent in the cache', async () => {
    await using at = await scene();
    await push(base, 'team/app', '1', second, { agent: at.agent });
    const { body } = await at.entrepot.admin('GET /v1/usage');
    assert.doesNotMatch(body.toString(), /team\/app/);
    assert.equal(at.entrepot.told('download').length, 0);
  });

  test('is not told that a blob is there because somebody else may read it', async () => {
    await using at = await scene();
    await push(at.registry.origin, 'library/base', '1', first);
    for (const blob of [first.config, ...first.layers]) {
      assert.equal((await get(`${base}/v2/library/base/blobs/${blob.digest}`, { agent: at.agent })).status, 200);
    }
    await at.entrepot.stored(2);
    await push(base, 'team/app', '1', second, { agent: at.agent });
    const [layer] = first.layers;
    const asked = await get(`${base}/v2/team/app/blobs/${layer?.digest}`, { method: 'HEAD', agent: at.agent });
    assert.equal(asked.status, 404);
  });

  test('is refused where the configuration says so', async () => {
    await using at = await scene({ intercept: { push: 'refuse' } });
    const { status, body } = await get(`${base}/v2/team/app/blobs/uploads/`, { method: 'POST', agent: at.agent });
    assert.equal(status, 403);
    assert.match(body.toString(), /intercept\.push/);
  });

  test('that the registry refuses changes nothing', async () => {
    await using at = await scene();
    await push(base, 'team/app', '1', first, { agent: at.agent });
    assert.equal(await digestAt(at), first.digest);
    const options = { method: 'PUT', body: '{}', agent: at.agent };
    const { status } = await get(`${base}/v2/team/app/manifests/1`, options);
    assert.equal(status, 400);
    assert.equal(await digestAt(at), first.digest);
  });

  test('streams: its first bytes are there before its last have been sent', async () => {
    await using scope = new AsyncDisposableStack();
    let arrived = 0;
    const heard = new EventEmitter();
    const socket = await tunnelTo(scope, (request, response) => {
      request.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
        heard.emit('more');
      });
      request.on('end', () => response.writeHead(202).end());
    });
    const bytes = 8 * 1024 * 1024;
    socket.write(`PATCH /v2/team/app/blobs/uploads/1 HTTP/1.1\r\nHost: quay.io\r\nContent-Length: ${bytes}\r\n\r\n`);
    const half = randomBytes(bytes / 2);
    socket.write(half);
    while (arrived < half.length) await once(heard, 'more');
    socket.write(half);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 202/);
    assert.equal(arrived, bytes);
    socket.destroy();
  });
});

/** A tunnel to a server that is no registry, by the name of one. */
async function tunnelTo(
  scope: AsyncDisposableStack,
  onRequest: RequestListener,
  onUpgrade?: (request: IncomingMessage, socket: Duplex) => void,
) {
  const server = createServer(testAuthority().issue(['127.0.0.1']), onRequest);
  if (onUpgrade !== undefined) server.on('upgrade', onUpgrade);
  server.listen(0, '127.0.0.1');
  scope.defer(() => void server.close());
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const quay = scope.use(await CountingUpstream.start({ tls: true }));
  const entrepot = scope.use(
    await Entrepot.start({ upstreams: { 'quay.io': quay }, config: { upstreams: { 'quay.io': { url } } } }),
  );
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  return secureTunnel(entrepot.port, { target: 'quay.io:443', ca });
}

describe('a request that looks like one for a manifest, and is none', () => {
  test('is passed on, and its answer has any size', async () => {
    await using scope = new AsyncDisposableStack();
    const bytes = randomBytes(3 * 1024 * 1024);
    const socket = await tunnelTo(scope, (_request, response) => void response.end(bytes));
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    const received = (): Buffer => Buffer.concat(pieces);
    for (const path of ['/v2/No/Such/Name/manifests/1', '/v2/a/manifests/1/v2/more']) {
      pieces.length = 0;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: quay.io\r\n\r\n`);
      while (received().length < bytes.length || !received().includes(bytes.subarray(-100))) await once(socket, 'data');
      assert.match(received().toString('latin1', 0, 20), /^HTTP\/1\.1 200/, path);
    }
    socket.destroy();
  });
});

describe('a request to speak something else', () => {
  const echo = (scope: AsyncDisposableStack): Promise<TLSSocket> =>
    tunnelTo(
      scope,
      (_request, response) => response.end('no'),
      ({ url }, socket) => {
        if (url === '/refuse') {
          socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
          return;
        }
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Said: yes\r\n\r\n');
        socket.pipe(socket);
      },
    );

  test('is passed on, and both speak it through here', async () => {
    await using scope = new AsyncDisposableStack();
    const socket = await echo(scope);
    let heard = '';
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    socket.write('GET /talk HTTP/1.1\r\nHost: quay.io\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    while (!heard.includes('\r\n\r\n')) await once(socket, 'data');
    assert.match(heard, /^HTTP\/1\.1 101/);
    assert.match(heard, /x-said: yes/i);
    socket.write('hello there');
    while (!heard.endsWith('hello there')) await once(socket, 'data');
    socket.destroy();
  });

  test('that the registry does not want is an answer, not a way past this server', async () => {
    await using scope = new AsyncDisposableStack();
    const socket = await echo(scope);
    socket.write('GET /refuse HTTP/1.1\r\nHost: quay.io\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 502/);
    socket.destroy();
  });
});
