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
import type { Answer, RequestOptions } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { exchangeBytes } from '../support/http-client.ts';
import { makeImage } from '../support/images.ts';
import { push } from '../support/push.ts';
import { secureTunnel, through } from '../support/tunnel.ts';

const first = makeImage({ seed: 'first', layers: [1_000] });
const second = makeImage({ seed: 'second', layers: [3_000_000] });
const port = 443;
const target = `registry.example:${port}`;
const host = 'registry.example';
const base = `http://${host}`;

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

/** Where `team/app` is open to everybody, and nothing else. */
async function guardedScene(keys: Readonly<Record<string, unknown>> = {}) {
  const at = await scene({
    access: [{ who: 'anonymous', may: ['pull', 'push', 'delete'], on: `${host}/team/app` }],
    ...keys,
  });
  for (const name of ['team/app', 'team/denied'])
    await push(at.registry.origin, name, '1', name === 'team/app' ? first : second);
  const tagsOf = async (name: string): Promise<string> => {
    return (await get(`${at.registry.origin}/v2/${name}/tags/list`)).body.toString();
  };
  const ask = (method: string, path: string, options: RequestOptions = {}): Promise<Answer> =>
    get(`${base}${path}`, { ...options, method, agent: at.agent });
  return { ...at, tagsOf, ask, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() };
}

describe('what rules refuse', () => {
  const [layer = second.config] = second.layers;
  const manifest = { headers: { 'content-type': second.mediaType }, body: second.bytes };

  test('is not reached by writing its path in another way', async () => {
    await using at = await guardedScene();
    for (const [method, path, options] of [
      ['GET', '/v2/team/denied/%74ags/list'],
      ['GET', '/%762/team/denied/tags/list'],
      ['GET', '/V2/team/denied/tags/list'],
      ['GET', '/v2;/team/denied/tags/list'],
      ['GET', `/v2/team/denied/%62lobs/${layer.digest}?n=1&n=1`],
      ['GET', `/v2/team/denied/blobs/${layer.digest}?n=1&n=1`],
      ['HEAD', `/v2/team/denied/%62lobs/${layer.digest}`],
      ['PUT', '/v2/team/denied/%6danifests/2', manifest],
      ['POST', '/v2/team/denied/%62lobs/uploads/'],
      ['DELETE', `/v2/team/denied/%6danifests/${second.digest}`],
      ['PUT', '/v2/team/app/tags/denied/manifests/2', manifest],
      ['PUT', '/v2/TEAM/denied/manifests/2', manifest],
      ['PUT', `/v2/team/${'a'.repeat(260)}/manifests/2`, manifest],
    ] as const) {
      const { status, body } = await at.ask(method, path, options);
      assert.ok(status >= 400 && status < 500, `${method} ${path}: ${status} ${body.toString('latin1', 0, 200)}`);
    }
    assert.match(await at.tagsOf('team/denied'), /"tags":\["1"\]/);
    assert.match(await at.tagsOf('team/app/tags/denied'), /NAME_UNKNOWN/);
  });

  test('is not mounted where it is allowed to push: it is uploaded instead', async () => {
    await using at = await guardedScene();
    const uploads = '/v2/team/app/blobs/uploads/';
    for (const from of ['&from=team/denied', '', '&%66rom=team/denied', ';from=team/denied']) {
      const { status } = await at.ask('POST', `${uploads}?mount=${layer.digest}${from}`);
      assert.equal(status, from.startsWith('&f') || from === '' ? 202 : 400, from);
      assert.equal((await at.ask('GET', `/v2/team/app/blobs/${layer.digest}`)).status, 404, from);
    }
    const own = await at.ask('POST', `${uploads}?mount=${first.config.digest}&from=team/app`);
    assert.equal(own.status, 201, 'what he may pull there');
  });

  test('stays as it is where pushes are not passed on', async () => {
    await using at = await guardedScene({ intercept: { push: 'refuse' } });
    for (const [method, path] of [
      ['PUT', '/v2/team/app/manifests/2'],
      ['PUT', '/v2/team/app/%6danifests/2'],
      ['DELETE', `/v2/team/app/%6danifests/${first.digest}`],
      ['POST', '/v2/team/app/%62lobs/uploads/'],
    ] as const) {
      const { status } = await at.ask(method, path, method === 'PUT' ? manifest : {});
      assert.ok(status >= 400 && status < 500, `${method} ${path}: ${status}`);
    }
    assert.match(await at.tagsOf('team/app'), /"tags":\["1"\]/);
  });

  test('is refused to requests in absolute form, too', async () => {
    await using at = await guardedScene();
    const asked = (path: string): Promise<string> =>
      exchangeBytes(
        at.entrepot.port,
        `GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
    assert.match(await asked('/v2/team/app/tags/list'), /^HTTP\/1\.1 200/);
    for (const path of ['/v2/team/denied/%74ags/list', `/v2/team/denied/%62lobs/${layer.digest}`])
      assert.match(await asked(path), /^HTTP\/1\.1 4\d\d/, path);
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
    for (const path of ['/v2/a/manifests/no+tag', '/v2/a/manifests/?more', '/v1/a/manifests/1']) {
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
