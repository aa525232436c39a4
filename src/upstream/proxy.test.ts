import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp, request as httpRequest } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { OutboundProxy } from '../config/config.ts';
import { Secret } from '../config/secret.ts';
import { parseReference } from '../oci/reference.ts';
import { testAuthority } from '../../test/support/certificates.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { makeImage } from '../../test/support/images.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { createProxies } from './proxy.ts';
import { failureOf, fetchBlob, makeRig } from './testing.ts';

const image = makeImage({ layers: [100_000] });
const [layer] = image.layers;
assert.ok(layer);
const tag = parseReference('7');

interface TestProxy extends AsyncDisposable {
  readonly port: number;
  /** What it was asked for: `CONNECT host:port`, `GET http://...`, `SOCKS host:port`; and with which credentials. */
  readonly asked: string[];
}

async function listening(server: Server, asked: string[]): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Names that end in `.lab` are at 127.0.0.1, as only the proxy knows. */
function localHost(host: string): string {
  return host.endsWith('.lab') ? '127.0.0.1' : host;
}

function join(near: Socket, host: string, port: number, ready: () => void): void {
  const far = connect(port, localHost(host), () => {
    ready();
    near.pipe(far).pipe(near);
  });
  far.on('error', () => near.destroy());
  near.on('close', () => far.destroy());
}

async function startHttpProxy(password?: string): Promise<TestProxy> {
  const asked: string[] = [];
  const proof = (header: string | undefined): string =>
    header === undefined ? '' : ` as ${Buffer.from(header.slice(6), 'base64').toString()}`;
  const refuses = (header: string | undefined): boolean =>
    password !== undefined && !proof(header).endsWith(`:${password}`);
  const server = createHttp((request, response) => {
    const header = request.headers['proxy-authorization'];
    asked.push(`${request.method} ${request.url}${proof(header)}`);
    if (refuses(header)) return void response.writeHead(407).end();
    const { method = '', headers, url = '' } = request;
    delete headers['proxy-authorization'];
    const target = new URL(url);
    const options = {
      method,
      headers,
      host: localHost(target.hostname),
      port: target.port,
      path: target.pathname + target.search,
    };
    httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end();
  });
  server.on('connect', (request, socket: Socket) => {
    const header = request.headers['proxy-authorization'];
    asked.push(`CONNECT ${request.url}${proof(header)}`);
    if (refuses(header)) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const [host = '', port] = (request.url ?? '').split(':');
    join(socket, host, Number(port), () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
  });
  return await listening(server, asked);
}

async function startSocksProxy(password?: string): Promise<TestProxy> {
  const asked: string[] = [];
  const serve = async (socket: Socket): Promise<void> => {
    const read = async (): Promise<Buffer> => (await once(socket, 'data'))[0] as Buffer;
    const methods = [...(await read()).subarray(2)];
    const method = password === undefined ? 0 : 2;
    if (!methods.includes(method)) return void socket.end(Buffer.from([5, 255]));
    socket.write(Buffer.from([5, method]));
    if (password !== undefined) {
      const proof = await read();
      const right = proof.subarray(-password.length).toString() === password;
      socket.write(Buffer.from([1, right ? 0 : 1]));
      if (!right) return;
    }
    const request = await read();
    const isName = request[3] === 3;
    const length = request[4] ?? 0;
    const host = isName ? request.subarray(5, 5 + length).toString() : [...request.subarray(4, 8)].join('.');
    const port = request.readUInt16BE(request.length - 2);
    asked.push(`SOCKS ${host}:${port}`);
    if (host === 'refused.lab') return void socket.end(Buffer.from([5, 2, 0, 1, 0, 0, 0, 0, 0, 0]));
    join(socket, host, port, () => socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
  };
  return await listening(
    createServer((socket) => void serve(socket).catch(() => {})),
    asked,
  );
}

function through(proxy: TestProxy, scheme: string, password?: string): OutboundProxy {
  const url = `${scheme}://127.0.0.1:${proxy.port}`;
  return { url, username: password && 'bob', password: password === undefined ? undefined : new Secret(password) };
}

async function start(tls: boolean): Promise<CountingUpstream> {
  const registry = await CountingUpstream.start({ tls, auth: { kind: 'bearer' }, blobRedirects: {} });
  registry.publish('library/redis:7', image);
  return registry;
}

describe('an outbound proxy', () => {
  test('of http takes requests for plain http whole: to the registry, its tokens and where it sends us', async () => {
    await using registry = await start(false);
    await using proxy = await startHttpProxy();
    await using rig = makeRig(registry.origin, { proxy: through(proxy, 'http') });
    assert.ok(await rig.repository.manifest(tag, 'anonymous'));
    assert.deepEqual((await fetchBlob(rig.repository, layer.digest)).bytes, layer.bytes());
    assert.equal(proxy.asked.length, registry.count());
    assert.equal(proxy.asked[0], `GET ${registry.origin}/v2/library/redis/manifests/7`);
    assert.ok(proxy.asked.at(-1)?.startsWith(`GET ${registry.originOf('cdn')}/data/`));
  });

  for (const [scheme, startProxy] of [
    ['http', startHttpProxy],
    ['socks5', startSocksProxy],
  ] as const) {
    test(`of ${scheme} is tunnelled through for TLS, with credentials for itself alone`, async () => {
      await using directory = await TempDir.make();
      await writeFile(directory.join('ca.pem'), testAuthority().ca);
      await using registry = await start(true);
      await using proxy = await startProxy('hunter2');
      const caPath = directory.join('ca.pem');
      await using rig = makeRig(registry.origin, { caPath, proxy: through(proxy, scheme, 'hunter2') });
      assert.ok(await rig.repository.manifest(tag, 'anonymous'));
      assert.deepEqual((await fetchBlob(rig.repository, layer.digest)).bytes, layer.bytes());
      const verb = scheme === 'http' ? 'CONNECT' : 'SOCKS';
      assert.ok(
        proxy.asked.every((line) => line.startsWith(`${verb} 127.0.0.1:`)),
        proxy.asked.join(),
      );
      assert.ok(!registry.ledger.saw('hunter2'));

      await using stranger = makeRig(registry.origin, { caPath, proxy: through(proxy, scheme, 'wrong') });
      const failure = await failureOf(stranger.repository.manifest(tag, 'anonymous'));
      assert.equal(failure.code, 'UPSTREAM_UNREACHABLE');
      assert.match(failure.message, /outbound proxy.*credentials/);
    });
  }

  test('resolves names that only it knows', async () => {
    await using registry = await start(false);
    await using proxy = await startSocksProxy();
    const url = registry.origin.replace('127.0.0.1', 'registry.lab');
    const { host } = new URL(registry.origin);
    await using rig = makeRig(url, { proxy: through(proxy, 'socks5'), realms: [host] });
    assert.ok(await rig.repository.manifest(tag, 'anonymous'));
    assert.ok(proxy.asked.some((line) => line.startsWith('SOCKS registry.lab:')));
  });

  test('is not asked for addresses that we would not dial ourselves', async () => {
    await using registry = await start(true);
    await using proxy = await startHttpProxy();
    registry.fault({}, faults.redirect('https://169.254.169.254/latest/meta-data/'));
    await using rig = makeRig(registry.origin, { insecure: true, proxy: through(proxy, 'http') });
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.match(failure.message, /169\.254\.169\.254, a link-local address/);
    assert.equal(proxy.asked.length, 1);
  });

  test('that refuses is named as the one who did', async () => {
    await using proxy = await startSocksProxy();
    await using rig = makeRig('https://refused.lab', { proxy: through(proxy, 'socks5') });
    assert.match((await failureOf(rig.repository.manifest(tag, 'anonymous'))).message, /outbound proxy.*not allowed/);
    await using http = await startHttpProxy('secret');
    await using other = makeRig('https://refused.lab', { proxy: through(http, 'http') });
    assert.match((await failureOf(other.repository.manifest(tag, 'anonymous'))).message, /credentials \(407\)/);
  });

  test('that is no proxy is found out', async () => {
    await using registry = await start(false);
    for (const scheme of ['socks5', 'http']) {
      const proxy = { url: `${scheme}://${new URL(registry.origin).host}`, username: undefined, password: undefined };
      await using rig = makeRig('https://reg.test', { proxy });
      assert.equal((await failureOf(rig.repository.manifest(tag, 'anonymous'))).code, 'UPSTREAM_UNREACHABLE');
    }
  });
});

describe("the environment's proxies", () => {
  const environment = {
    HTTP_PROXY: 'http://plain.test:3128',
    https_proxy: 'http://bob:p%40ss@secure.test:3128',
    NO_PROXY: 'spared.test, .inner.test,*.star.test, port.test:8443, 10.0.0.0/8, 192.0.2.7,[2001:db8::1]',
  };
  const proxies = createProxies(undefined, environment);
  const secure = (host: string, port = 443): boolean => proxies.tunnel({ host, port, secure: true }) !== undefined;

  test('take plain http whole and tunnel the rest', () => {
    assert.deepEqual(proxies.forward(new URL('http://reg.test/')), { origin: 'http://plain.test:3128', headers: {} });
    assert.equal(proxies.forward(new URL('https://reg.test/')), undefined);
    assert.ok(secure('reg.test'));
  });

  for (const host of [
    'spared.test',
    'SPARED.test',
    'a.spared.test',
    'a.inner.test',
    'b.star.test',
    '10.1.2.3',
    '192.0.2.7',
    '2001:db8::1',
    'localhost',
    '127.0.0.1',
    '::1',
  ]) {
    test(`spare ${host}`, () => assert.equal(secure(host), false));
  }
  for (const host of ['notspared.test', '192.0.2.8', '11.0.0.1', 'port.test']) {
    test(`do not spare ${host}`, () => assert.equal(secure(host), true));
  }

  test('spare a port alone where one is given', () => {
    assert.equal(secure('port.test', 8443), false);
    assert.equal(secure('port.test', 443), true);
  });

  test('spare everything with a star, and nobody is asked where there are none', () => {
    assert.equal(
      createProxies(undefined, { ...environment, NO_PROXY: '*' }).tunnel({ host: 'a.test', port: 443, secure: true }),
      undefined,
    );
    assert.equal(createProxies(undefined, {}).forward(new URL('http://reg.test/')), undefined);
  });

  test('of ALL_PROXY count where there is no other', () => {
    const all = createProxies(undefined, { ALL_PROXY: 'socks5://socks.test', HTTP_PROXY: 'plain.test:3128' });
    assert.equal(all.forward(new URL('http://reg.test/'))?.origin, 'http://plain.test:3128');
    assert.ok(all.tunnel({ host: 'reg.test', port: 443, secure: true }));
  });

  test('that are none are passed over', () => {
    for (const text of ['ftp://plain.test', 'http://', 'http://us%zz:pw@plain.test:3128', 'http://u:%ff@plain.test']) {
      assert.equal(
        createProxies(undefined, { HTTP_PROXY: text }).forward(new URL('http://reg.test/')),
        undefined,
        text,
      );
    }
  });

  test('do not count where the configuration names one', () => {
    const configured = { url: 'http://own.test:1', username: 'bob', password: new Secret('x') };
    const own = createProxies(configured, environment).forward(new URL('http://spared.test/'));
    assert.deepEqual(own, { origin: 'http://own.test:1', headers: { 'proxy-authorization': 'Basic Ym9iOng=' } });
  });
});
