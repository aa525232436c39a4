import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { buildConnector } from 'undici';
import { parseReference } from '../oci/reference.ts';
import { systemClock } from '../observe/clock.ts';
import { testAuthority } from '../../test/support/certificates.ts';
import { CountingUpstream } from '../../test/support/counting-upstream.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { makeImage } from '../../test/support/images.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import * as faults from '../../test/support/upstream-faults.ts';
import { makeDialPolicy } from './addresses.ts';
import { createDialer } from './dial.ts';
import type { DialOptions } from './dial.ts';
import { createLookup } from './lookup.ts';
import { failureOf, makeRig } from './testing.ts';

const tag = parseReference('7');
const image = makeImage();

function connect(options: Partial<DialOptions>, port: number, protocol = 'http:'): Promise<string> {
  const hostname = 'reg.test';
  const dialer = createDialer({
    policy: makeDialPolicy({ upstream: 'reg.test', allowed: ['127.0.0.0/24'], named: () => false, own: () => [] }),
    lookup: async () => ['127.0.0.1'],
    clock: systemClock,
    connectMs: 5000,
    tls: { insecure: false, ca: async () => undefined },
    tunnel: () => undefined,
    ...options,
  });
  return new Promise((resolve, reject) => {
    const target: buildConnector.Options = { hostname, host: hostname, protocol, port: String(port) };
    dialer.connect(target, (error, socket) => {
      if (error !== null) return reject(error);
      resolve(socket.remoteAddress ?? '');
      socket.destroy();
    });
  });
}

describe('a connection', () => {
  test('goes to the very address that was judged', async () => {
    await using registry = await CountingUpstream.start();
    let lookups = 0;
    const lookup = async (): Promise<readonly string[]> => (lookups++ === 0 ? ['127.0.0.1'] : ['169.254.169.254']);
    const port = Number(new URL(registry.origin).port);
    assert.equal(await connect({ lookup }, port), '127.0.0.1');
    assert.equal(lookups, 1, 'the name is not looked up again behind our back');
    await assert.rejects(connect({ lookup }, port), /reg\.test is at 169\.254\.169\.254, a link-local address/);
  });

  test('goes to those of several addresses that are permitted', async () => {
    await using registry = await CountingUpstream.start();
    const port = Number(new URL(registry.origin).port);
    const lookup = async (): Promise<readonly string[]> => ['169.254.169.254', '10.0.0.1', '127.0.0.1'];
    assert.equal(await connect({ lookup }, port), '127.0.0.1');
  });

  test('is given up in time, whatever it hangs at', async () => {
    const clock = new FakeClock();
    const expected = { code: 'ETIMEDOUT', message: 'no connection to reg.test:1 within 5000 ms' };
    const givenUp = assert.rejects(connect({ clock, lookup: () => new Promise(() => {}) }, 1), expected);
    await clock.pending(1);
    await clock.advance(5000);
    await givenUp;
  });

  test('to a name without an address fails with a reason', async () => {
    await assert.rejects(connect({ lookup: async () => [] }, 1), /reg\.test has no address/);
  });
});

describe('a host', () => {
  test('that redirects to our own machine leads nowhere', async () => {
    await using registry = await CountingUpstream.start();
    await using victim = await CountingUpstream.start({ addresses: { registry: '127.0.0.2' } });
    registry.fault({}, faults.redirect(`${victim.origin}/secret`));
    await using rig = makeRig(registry.origin);
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_UNREACHABLE');
    assert.match(failure.message, /127\.0\.0\.2, a loopback address; if that is meant, add 127\.0\.0\.2 to .*\.dial$/);
    assert.equal(victim.connections(), 0);
  });

  test('that the operator allows is dialled', async () => {
    await using registry = await CountingUpstream.start();
    await using other = await CountingUpstream.start({ addresses: { registry: '127.0.0.2' } });
    other.publish('library/redis:7', image);
    registry.fault({}, faults.redirect(`${other.origin}/v2/library/redis/manifests/7`));
    await using rig = makeRig(registry.origin, { dial: ['127.0.0.2/32'] });
    assert.ok(await rig.repository.manifest(tag, 'anonymous'));
  });

  test('called localhost is dialled only where that is allowed', async () => {
    await using registry = await CountingUpstream.start();
    registry.publish('library/redis:7', image);
    const url = registry.origin.replace('127.0.0.1', 'localhost');
    await using rig = makeRig(url, { family: '4' });
    assert.match((await failureOf(rig.repository.manifest(tag, 'anonymous'))).message, /loopback/);
    await using allowed = makeRig(url, { family: '4', dial: ['127.0.0.1'] });
    assert.ok(await allowed.repository.manifest(tag, 'anonymous'));
  });
});

describe('TLS', () => {
  test('is trusted by the authority that the configuration names, and by nobody else', async () => {
    await using directory = await TempDir.make();
    await writeFile(directory.join('ca.pem'), testAuthority().ca);
    await using registry = await CountingUpstream.start({ tls: true });
    registry.publish('library/redis:7', image);

    await using stranger = makeRig(registry.origin);
    const failure = await failureOf(stranger.repository.manifest(tag, 'anonymous'));
    assert.equal(failure.code, 'UPSTREAM_UNREACHABLE');
    assert.match(failure.message, /certificate.*; if this certificate is meant, set upstreams\.reg\.test\.ca$/);

    await using friend = makeRig(registry.origin, { caPath: directory.join('ca.pem') });
    assert.ok(await friend.repository.manifest(tag, 'anonymous'));
    await using careless = makeRig(registry.origin, { insecure: true });
    assert.ok(await careless.repository.manifest(tag, 'anonymous'));
  });

  test('that is reset before it begins is a failure, however long it takes to read whom to trust', async () => {
    const server = createServer((socket) => void setImmediate(() => socket.resetAndDestroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const ca = async (): Promise<undefined> => {
      for (let turn = 0; turn < 500; turn++) await nextTurn();
    };
    try {
      await assert.rejects(connect({ tls: { insecure: false, ca } }, address.port, 'https:'));
    } finally {
      server.close();
    }
  });

  test('is given up in time while it is read whom to trust', async () => {
    await using registry = await CountingUpstream.start({ tls: true });
    const clock = new FakeClock();
    const tls = { insecure: false, ca: () => new Promise<undefined>(() => {}) };
    const port = Number(new URL(registry.origin).port);
    const givenUp = assert.rejects(connect({ clock, tls }, port, 'https:'), { code: 'ETIMEDOUT' });
    await clock.pending(1);
    await clock.advance(5000);
    await givenUp;
    assert.equal(registry.connections(), 0);
  });

  test('towards plain http says so', async () => {
    await using registry = await CountingUpstream.start();
    await using rig = makeRig(registry.origin.replace('http:', 'https:'));
    const failure = await failureOf(rig.repository.manifest(tag, 'anonymous'));
    assert.match(failure.message, /if it speaks plain http, say so in upstreams\.reg\.test\.url$/);
  });

  test('whose authority cannot be read fails with its path', async () => {
    await using registry = await CountingUpstream.start({ tls: true });
    await using rig = makeRig(registry.origin, { caPath: '/nowhere/ca.pem' });
    assert.match((await failureOf(rig.repository.manifest(tag, 'anonymous'))).message, /\/nowhere\/ca\.pem/);
  });
});

describe('a name', () => {
  test('is asked of the servers that the configuration names, for the families it wants', async () => {
    await using server = await startNameServer({ A: '127.0.0.1', AAAA: '::1' });
    const lookup = (family: 'any' | '4' | '6') =>
      createLookup({ servers: [server.address], family, timeoutMs: 20_000 })('reg.test');
    assert.deepEqual(await lookup('4'), ['127.0.0.1']);
    assert.deepEqual(await lookup('6'), ['::1']);
    assert.deepEqual(await lookup('any'), ['::1', '127.0.0.1']);
  });

  test('is asked once by many who need it at the same time', async () => {
    await using server = await startNameServer({ A: '127.0.0.1' });
    const lookup = createLookup({ servers: [server.address], family: '4', timeoutMs: 20_000 });
    await Promise.all([1, 2, 3, 4].map(() => lookup('reg.test')));
    assert.equal(server.asked(), 1);
  });

  test('that the servers do not know is an error that names it', async () => {
    await using server = await startNameServer({});
    const lookup = createLookup({ servers: [server.address], family: 'any', timeoutMs: 20_000 });
    await assert.rejects(lookup('reg.test'), /reg\.test/);
  });
});

interface NameServer extends AsyncDisposable {
  readonly address: string;
  asked(): number;
}

/** Answers every question of a kind with the same address (RFC 1035, 4.1), and others with "no such name". */
async function startNameServer(answers: { readonly A?: string; readonly AAAA?: string }): Promise<NameServer> {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (message, peer) => {
    asked++;
    const end = message.indexOf(0, 12) + 5;
    const type = message.readUInt16BE(end - 4);
    const address = type === 1 ? answers.A : answers.AAAA;
    const data =
      type === 1 ? Buffer.from((address ?? '').split('.').map(Number)) : Buffer.from([...Array(15).fill(0), 1]);
    const head = Buffer.from(message.subarray(0, 12));
    head.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2);
    head.fill(0, 6);
    if (address !== undefined) head.writeUInt16BE(1, 6);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(data.length);
    const answer = Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0]), length, data]);
    socket.send(
      Buffer.concat([head, message.subarray(12, end), ...(address === undefined ? [] : [answer])]),
      peer.port,
    );
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked: () => asked,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}
