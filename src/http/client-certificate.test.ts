import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterEach, describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { makeAuthority, testAuthority } from '../../test/support/certificates.ts';
import type { ServerCertificate } from '../../test/support/certificates.ts';
import { close, get, HttpServers, textReply } from '../../test/support/http-server.ts';
import { serverTls } from '../../test/support/server-tls.ts';
import type { ClientCertificatesConfig } from '../config/config.ts';
import { certificateOf } from './client-certificate.ts';
import type { Handler } from './message.ts';

const servers = new HttpServers();
const authority = testAuthority();
const certificate = authority.issue(['localhost']);

afterEach(async () => {
  await servers.close();
});

describe('certificates of clients', () => {
  const theirs = makeAuthority('Clients');
  const ci = theirs.issue(['ci', 'ci.example'], 'client');
  const stranger = makeAuthority('Strangers').issue(['ci'], 'client');
  const server = theirs.issue(['ci']);
  const who: Handler = async ({ clientCertificate: shown }) =>
    textReply(shown === undefined ? 'nobody' : `${shown.subject} ${shown.names.join('|')}`);

  async function answers(asked: Partial<ClientCertificatesConfig>) {
    const clients = { authorityPaths: [], required: false, verified: true, ...asked };
    const settings = { ca: theirs.ca, ticketKeys: Buffer.alloc(48, 1) };
    const { port } = await servers.serve(who, { tls: serverTls(certificate, { clients, settings, plain: false }) });
    const ask = async (shown: ServerCertificate | undefined): Promise<string> => {
      const { status, body } = await fetchTlsAs(port, shown);
      return status === 200 ? body : `${status} ${body}`;
    };
    return { port, none: await ask(undefined), good: await ask(ci), bad: await ask(stranger) };
  }

  test('are believed where one of the authorities has signed them, and anything else is refused', async () => {
    const { none, good, bad } = await answers({});
    assert.equal(none, 'nobody');
    assert.equal(good, 'CN=ci ci|ci|ci.example');
    assert.match(bad, /^403 .*the certificate of this client is not accepted \(UNABLE_TO_/);
  });

  test('may be demanded', async () => {
    const { none, good, bad } = await answers({ required: true });
    assert.match(none, /^403 .*this server wants a certificate of its clients; give this one such/);
    assert.equal(good, 'CN=ci ci|ci|ci.example');
    assert.match(bad, /^403 .*is not accepted/);
  });

  test('prove nothing where nobody verifies them', async () => {
    assert.deepEqual(await answers({ verified: false }).then(({ none, good, bad }) => [none, good, bad]), [
      'nobody',
      'nobody',
      'nobody',
    ]);
    const { none, good, bad } = await answers({ verified: false, required: true });
    assert.match(none, /^403 /);
    assert.deepEqual([good, bad], ['nobody', 'nobody']);
  });

  test('count as much when a session is resumed', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { port } = await answers({ required: true });
      for (const [shown, expected] of [
        [ci, /^CN=ci/],
        [undefined, /this server wants/],
        [stranger, /is not accepted/],
        [server, /is not accepted \(INVALID_PURPOSE\)/],
      ] as const) {
        const first = await resumable(port, { ...shown, maxVersion });
        const again = await resumable(port, { maxVersion, session: first.session });
        assert.ok(again.isResumed);
        assert.match(first.body, expected);
        assert.match(again.body, expected);
      }
    }
  });
});

async function fetchTlsAs(port: number, shown: ServerCertificate | undefined) {
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca: authority.ca, agent: false, ...shown };
  const [incoming] = (await once(request(options).end(), 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk as Uint8Array));
  return { status: incoming.statusCode, body: Buffer.concat(chunks).toString() };
}

/** One request on one connection, with what it takes to resume it. */
async function resumable(port: number, options: ConnectionOptions) {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.ca, ...options });
  await once(socket, 'secureConnect');
  const isResumed = socket.isSessionReused();
  let session: Buffer | undefined = socket.getSession();
  socket.on('session', (ticket: Buffer) => (session = ticket));
  const received: string[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk.toString()));
  socket.write(get('/', close));
  await once(socket, 'close');
  return { session, isResumed, body: received.join('').replace(/^[^]*?\r\n\r\n/, '') };
}

test('what a certificate says of its owner is read whole, and nothing is read into it', () => {
  const read = certificateOf(
    'C=DE\nO=Acme, Inc\nO=ops\nCN=ci',
    'DNS:ci.example, email:ci@a.example, URI:spiffe://a/ci',
  );
  assert.deepEqual(read, {
    subject: 'C=DE,O=Acme, Inc,O=ops,CN=ci',
    names: ['ci', 'ci.example', 'ci@a.example', 'spiffe://a/ci'],
    groups: ['Acme, Inc', 'ops'],
  });
  const forged = certificateOf('O=a', 'DNS:"x, DNS:admin, y \\", DNS:root", IP Address:10.0.0.1, DNS:me');
  assert.deepEqual(forged, { subject: 'O=a', names: ['me'], groups: ['a'] });
});
