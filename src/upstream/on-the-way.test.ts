import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, test } from 'node:test';
import { NameServer } from '../../test/faults/name-server.ts';
import { HeldPort } from '../../test/support/ports.ts';
import type { UpstreamConfig } from '../config/config.ts';
import { parseReference } from '../oci/reference.ts';
import { failureOf, makeRig } from './testing.ts';

/** Takes connections and datagrams, and says nothing. */
async function silentServer(): Promise<AsyncDisposable & { readonly tcp: string; readonly udp: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  const datagrams = createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(datagrams, 'listening')]);
  return {
    tcp: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    udp: `127.0.0.1:${datagrams.address().port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      datagrams.close();
      await Promise.all([once(server, 'close'), once(datagrams, 'close')]);
    },
  };
}

async function failureWith(url: string, given: Partial<UpstreamConfig>) {
  const timeouts = { connectMs: 50, headersMs: 10_000, stallMs: 10_000 };
  await using rig = makeRig(url, { timeouts, ...given });
  const { code, message } = await failureOf(rig.repository.manifest(parseReference('7'), 'anonymous'));
  return `${code}: ${message}`;
}

function proxyAt(url: string): Partial<UpstreamConfig> {
  return { proxy: { url, username: undefined, password: undefined } };
}

describe('what fails is named, and the upstream is not blamed, where that is', () => {
  for (const scheme of ['http', 'socks5']) {
    test(`a silent proxy (${scheme})`, async () => {
      await using silent = await silentServer();
      const said = await failureWith('https://registry.example', proxyAt(`${scheme}://${silent.tcp}`));
      assert.equal(
        said,
        `UPSTREAM_TIMEOUT: reg.test (registry.example) cannot be reached (manifest library/redis:7): the outbound proxy ${silent.tcp} does not connect us: no connection to registry.example:443 within 50 ms; check that proxy, and upstreams.reg.test.proxy`,
      );
    });

    test(`a proxy that is away (${scheme})`, async () => {
      using held = await HeldPort.take();
      const said = await failureWith('https://registry.example', proxyAt(`${scheme}://127.0.0.1:${held.port}`));
      const where = `127.0.0.1:${held.port}`;
      assert.match(
        said,
        new RegExp(`the outbound proxy ${where} does not connect us: connect ECONNREFUSED ${where}; `),
      );
      assert.match(said, /; check that proxy, and upstreams\.reg\.test\.proxy$/);
    });
  }

  test('a proxy that is away, to which a request for plain http goes whole', async () => {
    using held = await HeldPort.take();
    const where = `127.0.0.1:${held.port}`;
    const said = await failureWith('http://registry.example', proxyAt(`http://${where}`));
    assert.match(said, new RegExp(`the outbound proxy ${where} does not connect us: connect ECONNREFUSED ${where}; `));
    assert.match(said, /; check that proxy, and upstreams\.\*\.proxy or HTTP_PROXY$/);
  });

  test('a silent DNS server', async () => {
    await using silent = await silentServer();
    const said = await failureWith('https://registry.example', { resolver: [silent.udp] });
    assert.equal(
      said,
      `UPSTREAM_TIMEOUT: reg.test (registry.example) cannot be reached (manifest library/redis:7): the DNS server ${silent.udp} gives no address: no connection to registry.example:443 within 50 ms; check that server, and upstreams.reg.test.resolver`,
    );
  });

  test('a DNS server that fails, though none that says that there is no such name', async () => {
    const timeouts = { connectMs: 20_000, headersMs: 10_000, stallMs: 10_000 };
    const failing = createSocket('udp4').bind(0, '127.0.0.1');
    failing.on('message', (query, { port, address }) => failing.send(serverFailure(query), port, address));
    await once(failing, 'listening');
    const where = `127.0.0.1:${failing.address().port}`;
    const said = await failureWith('https://registry.example', { family: '4', resolver: [where], timeouts });
    failing.close();
    assert.match(said, new RegExp(`the DNS server ${where} gives no address: queryA ESERVFAIL registry.example; `));
    assert.match(said, /; check that server, and upstreams\.reg\.test\.resolver$/);
    await using names = await NameServer.start({});
    const resolver = [names.address];
    const otherwise = await failureWith('https://registry.example', { family: '4', resolver, timeouts });
    assert.match(otherwise, /: queryA ENOTFOUND registry\.example; check the network, DNS and upstreams\.reg\.test$/);
  });
});

/** RFC 1035, 4.1.1. */
function serverFailure(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  answer.writeUInt16BE(0x8182, 2);
  return answer;
}
