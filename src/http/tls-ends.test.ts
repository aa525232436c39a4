import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createSecureContext } from 'node:tls';
import type { ConnectionOptions, EphemeralKeyInfo } from 'node:tls';
import { testAuthority } from '../../test/support/certificates.ts';
import type { Via } from './message.ts';
import { TlsEnds } from './tls-ends.ts';

const authority = testAuthority();

/** Where every connection is to a registry, in the name of a guest of ours if it is given one. */
async function scene(scope: AsyncDisposableStack, viaOf: () => Via) {
  const pair = authority.issue(['quay.io']);
  const identity = { ...pair, context: createSecureContext(pair) };
  const seen: Via[] = [];
  const secured = (socket: { end: (text: string) => void }, via: Via): void => {
    seen.push(via);
    socket.end('done');
  };
  const ends = new TlsEnds({ handshakeMsMax: 10_000, secured, distrusted: () => {} });
  const server = createServer((socket) => ends.take(socket, viaOf(), identity));
  server.listen(0, '127.0.0.1');
  scope.defer(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  /** A whole connection, and what it takes to resume it. */
  const shake = async (session?: Buffer, more: ConnectionOptions = {}) => {
    const given = session === undefined ? more : { ...more, session };
    const socket = connect({ host: '127.0.0.1', port, servername: 'quay.io', ca: authority.ca, ...given });
    let ticket: Buffer | undefined;
    socket.on('session', (each: Buffer) => (ticket = each));
    let resumed = false;
    let group = '';
    socket.once('secureConnect', () => {
      resumed = socket.isSessionReused();
      const info: Partial<EphemeralKeyInfo> | null = socket.getEphemeralKeyInfo();
      group = String(info?.name);
    });
    socket.resume();
    await once(socket, 'close');
    return { ticket, resumed, group };
  };
  return { seen, shake };
}

test('who opens a tunnel for every request shakes hands once, and resumes from then on', async () => {
  await using scope = new AsyncDisposableStack();
  const { shake } = await scene(scope, () => ({ kind: 'tunnel', host: 'quay.io' }));
  const first = await shake();
  assert.equal(first.resumed, false);
  assert.equal((await shake(first.ticket)).resumed, true);
});

test('nobody is taken for somebody else by what he resumes', async () => {
  await using scope = new AsyncDisposableStack();
  let guest: Via['guest'] = { name: 'ann', groups: [] };
  const { seen, shake } = await scene(scope, () => ({ kind: 'tunnel', host: 'quay.io', guest }));
  const { ticket } = await shake();
  guest = { name: 'bob', groups: [] };
  await shake(ticket);
  assert.deepEqual(
    seen.map((via) => via.guest?.name),
    ['ann', 'bob'],
  );
});

test('a handshake is made with X25519 where the client can, and with what it has otherwise', async () => {
  await using scope = new AsyncDisposableStack();
  const { shake } = await scene(scope, () => ({ kind: 'tunnel', host: 'quay.io' }));
  assert.equal((await shake()).group, 'X25519');
  for (const group of ['X25519MLKEM768', 'P-384', 'P-256']) {
    const shaken = (await shake(undefined, { ecdhCurve: group })).group;
    assert.notEqual(shaken, 'X25519');
    assert.notEqual(shaken, 'undefined', group);
  }
});
