/** Attacks on the door for tunnels: nobody is connected to anywhere that is not public, and nothing breaks by it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { exchangeBytes, openSocket } from '../support/http-client.ts';
import { openTunnel, secureTunnel } from '../support/tunnel.ts';
import { NameServer } from './name-server.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A server of this machine that nobody may reach through us: it counts who does. */
async function bystander(scope: AsyncDisposableStack) {
  const seen = { connections: 0, port: 0 };
  const server = createServer((socket) => {
    seen.connections += 1;
    socket.end('a secret of this machine');
  });
  server.listen(0, '127.0.0.1');
  scope.defer(() => void server.close());
  await once(server, 'listening');
  seen.port = (server.address() as AddressInfo).port;
  return seen;
}

/** The most open that a configuration can be: other hosts are connected to, and whatever behaves like a registry is one. */
async function open(scope: AsyncDisposableStack, more: Readonly<Record<string, unknown>> = {}) {
  const inside = await bystander(scope);
  const intercept = { others: 'tunnel', ports: [443, inside.port], ...more };
  const entrepot = scope.use(await Entrepot.start({ config: { intercept } }));
  const statusOf = async (target: string): Promise<number> => {
    const answer = await exchangeBytes(entrepot.port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
  };
  return { inside, entrepot, statusOf };
}

async function assertAlive({ origin }: Entrepot): Promise<void> {
  assert.equal((await get(`${origin}/v2/`)).status, 200);
}

describe('a tunnel to where nobody may be connected to', () => {
  for (const hosts of ['upstreams', '*']) {
    test(`is refused, by address (hosts: ${hosts})`, async () => {
      await using scope = new AsyncDisposableStack();
      const { inside, entrepot, statusOf } = await open(scope, { hosts });
      const { port } = inside;
      const targets = [
        '169.254.169.254:443',
        'fd00:ec2::254:443',
        '[fd00:ec2::254]:443',
        `127.0.0.1:${port}`,
        `[::1]:${port}`,
        `[::ffff:127.0.0.1]:${port}`,
        `[::ffff:7f00:1]:${port}`,
        `[64:ff9b::7f00:1]:${port}`,
        `[::]:${port}`,
        `0.0.0.0:${port}`,
        `localhost:${port}`,
        `localhost.:${port}`,
        `127.1:${port}`,
        `2130706433:${port}`,
        `0x7f000001:${port}`,
        `0177.0.0.1:${port}`,
        '10.0.0.1:443',
        '192.168.0.1:443',
        '100.64.0.1:443',
        '[fe80::1]:443',
        '[ff02::1]:443',
        '255.255.255.255:443',
        '1.1.1.1:25',
        '1.1.1.1:22',
        'quay.io:25',
      ];
      for (const target of targets) {
        const status = await statusOf(target);
        assert.ok(status >= 400 && status < 600, `${target}: ${status}`);
      }
      assert.equal(inside.connections, 0);
      await assertAlive(entrepot);
    });
  }

  test('is refused where a name leads there, also when the name has led elsewhere a moment ago', async () => {
    await using scope = new AsyncDisposableStack();
    const names = scope.use(
      await NameServer.start({
        'meta.example': [['169.254.169.254']],
        'here.example': [['127.0.0.1']],
        'inside.example': [['10.1.2.3']],
        'turns.example': [['192.0.2.1'], ['127.0.0.1']],
      }),
    );
    const { inside, entrepot, statusOf } = await open(scope, { resolver: [names.address] });
    for (const host of ['meta', 'here', 'inside']) {
      assert.equal(await statusOf(`${host}.example:${inside.port}`), 403, host);
      assert.equal(await statusOf(`${host}.example:443`), 403, host);
    }
    // What is judged is what is connected to: the answer that was good is not asked for twice.
    await statusOf(`turns.example:${inside.port}`);
    assert.deepEqual(names.asked.filter((name) => name === 'turns.example').length, 1);
    assert.equal(await statusOf(`turns.example:${inside.port}`), 403);
    assert.equal(inside.connections, 0);
    await assertAlive(entrepot);
  });

  test('does not lead to this server’s own ports but by its own name', async () => {
    await using scope = new AsyncDisposableStack();
    const { entrepot, statusOf } = await open(scope);
    assert.equal(await statusOf(`127.0.0.2:${entrepot.port}`), 403);
    // It speaks no TLS here, and nothing else is spoken in a tunnel.
    assert.equal(await statusOf(`127.0.0.1:${entrepot.port}`), 403);
    assert.equal(await statusOf(`localhost:${entrepot.port}`), 403);
  });
});

test('a tunnel to a host that only looks like a registry is refused, and one to the registry however it is written is not', async () => {
  await using entrepot = await Entrepot.start();
  const statusOf = async (target: string): Promise<number> => {
    const socket = await openSocket(entrepot.port);
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`, 'latin1');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return Number(answer.toString('latin1', 9, 12));
  };
  const looks = [
    'quay.io.evil.example',
    'evil-quay.io',
    'quay.i0',
    'quay-io',
    'quay.io%2eevil.example',
    'quay.io#.evil.example',
    'qu\u00e1y.io',
    'xn--quy-xqa.io',
    'a.quay.io.',
    'quay..io',
  ];
  for (const host of looks) {
    const status = await statusOf(`${host}:443`);
    assert.ok(status === 400 || status === 403, `${host}: ${status}`);
  }
  for (const host of ['quay.io', 'QUAY.io', 'quay.io.']) assert.equal(await statusOf(`${host}:443`), 200, host);
  // Another port is another registry, and none that anybody has named.
  assert.equal(await statusOf('quay.io:8443'), 403);
  await assertAlive(entrepot);
});

describe('a CONNECT that is none', () => {
  test('is refused, whatever it says', async () => {
    await using scope = new AsyncDisposableStack();
    const { inside, entrepot } = await open(scope);
    const lines = [
      'CONNECT HTTP/1.1',
      'CONNECT  HTTP/1.1',
      'CONNECT / HTTP/1.1',
      'CONNECT * HTTP/1.1',
      'CONNECT quay.io HTTP/1.1',
      'CONNECT quay.io:443:443 HTTP/1.1',
      'CONNECT quay.io:99999 HTTP/1.1',
      'CONNECT quay.io:-1 HTTP/1.1',
      'CONNECT http://quay.io:443/ HTTP/1.1',
      `CONNECT quay.io:443@127.0.0.1:${inside.port} HTTP/1.1`,
      `CONNECT quay.io%00.evil.example:443 HTTP/1.1`,
      `CONNECT ${'a'.repeat(20_000)}:443 HTTP/1.1`,
      `CONNECT ${'a'.repeat(40_000)}:443 HTTP/1.1`,
      `CONNECT ${'a.'.repeat(130)}io:443 HTTP/1.1`,
      'CONNECT [::1:443 HTTP/1.1',
      'CONNECT ::1]:443 HTTP/1.1',
    ];
    for (const line of lines) {
      const answer = await exchangeBytes(entrepot.port, `${line}\r\nHost: x\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 4\d\d /, line.slice(0, 80));
    }
    assert.equal(inside.connections, 0);
    await assertAlive(entrepot);
  });

  test('leaves no more behind the thousandth time than the hundredth', async () => {
    await using scope = new AsyncDisposableStack();
    const { entrepot, statusOf } = await open(scope);
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round += 1) await statusOf(`host-${round}.invalid:25`);
    };
    await rounds(100);
    collect();
    const before = process.memoryUsage().heapUsed;
    await rounds(900);
    collect();
    const grown = process.memoryUsage().heapUsed - before;
    // The events that this test keeps are most of it.
    assert.ok(grown < 8 * 1024 * 1024, `${grown} bytes`);
    // Hosts come from clients: the metric names so many of them, and the rest together.
    const refused = entrepot.told('proxy.passed').filter(({ how }) => how === 'refused');
    assert.equal(refused.length, 1_000);
    await assertAlive(entrepot);
  });
});

describe('in a tunnel to a registry', () => {
  test('nothing is spoken but TLS', async () => {
    await using scope = new AsyncDisposableStack();
    const { entrepot } = await open(scope);
    for (const said of [
      'GET / HTTP/1.1\r\nHost: quay.io\r\n\r\n',
      'SSH-2.0-x\r\n',
      '\0\0\0\0\0',
      // TLS of a version that there is not.
      '\x16\x05\x05\0\x05hello',
      'CONNECT x:1 HTTP/1.1\r\n\r\n',
    ]) {
      const socket = await openTunnel(entrepot.port, { target: 'quay.io:443' });
      socket.write(said);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 400 .*only TLS is accepted/s);
      socket.destroy();
    }
    await assertAlive(entrepot);
  });

  test('there is no other tunnel', async () => {
    await using scope = new AsyncDisposableStack();
    const { inside, entrepot } = await open(scope);
    const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
    const socket = await secureTunnel(entrepot.port, { target: 'quay.io:443', ca });
    socket.write(`CONNECT 127.0.0.1:${inside.port} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 405 .*no tunnel within a tunnel/s);
    socket.destroy();
    assert.equal(inside.connections, 0);
  });

  test('a request for another host is refused, whatever the handshake said', async () => {
    await using scope = new AsyncDisposableStack();
    const { entrepot } = await open(scope);
    const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
    const ask = async (servername: string | false | undefined, host: string, path = '/nowhere'): Promise<string> => {
      const named = servername === undefined ? {} : { servername };
      const socket = await secureTunnel(entrepot.port, { target: 'quay.io:443', ca, ...named });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer.toString('latin1', 9, 12);
    };
    for (const host of [
      'docker.io',
      'quay.io.evil.example',
      'evil-quay.io',
      '127.0.0.1',
      '[::1]',
      'quay.io:8443',
      '',
    ]) {
      assert.equal(await ask(undefined, host), '421', host);
      assert.equal(await ask(undefined, host, '/v2/team/app/manifests/1'), '421', `a manifest of ${host}`);
    }
    assert.equal(await ask(false, 'docker.io'), '421', 'without a name in the handshake');
    assert.equal(await ask(false, 'docker.io', '/v2/team/app/manifests/1'), '421', 'and a manifest');
  });

  test('a request is refused whose handshake named somebody else, though its Host is right', async () => {
    await using scope = new AsyncDisposableStack();
    const { entrepot } = await open(scope);
    for (const path of ['/nowhere', '/v2/team/app/manifests/1']) {
      const socket = await openTunnel(entrepot.port, { target: 'quay.io:443' });
      // It would not believe our certificate for that name, were it not told to.
      const secured = connectTls({ socket, servername: 'ghcr.io', rejectUnauthorized: false });
      secured.write(`GET ${path} HTTP/1.1\r\nHost: quay.io\r\n\r\n`);
      const [answer] = (await once(secured, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 421 /, path);
      secured.destroy();
    }
    await assertAlive(entrepot);
  });
});
