/** The door for tunnels, behind TLS of its own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { get } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { exchangeBytes } from '../support/http-client.ts';
import { freePort } from '../support/ports.ts';
import { secureTunnel } from '../support/tunnel.ts';

describe('a proxy that is spoken to over TLS', () => {
  test('opens tunnels within it, and none to whoever has not shown what it asks for', async () => {
    await using scope = new AsyncDisposableStack();
    const entrepot = scope.use(await Entrepot.start({ config: { http: { tls: { auto: true, plain: false } } } }));
    const plainly = await exchangeBytes(entrepot.port, 'CONNECT quay.io:443 HTTP/1.1\r\nHost: quay.io:443\r\n\r\n');
    assert.match(plainly, /^HTTP\/1\.1 400 .*Ask with https/s);
    const { body } = await get(`http://127.0.0.1:${entrepot.port}/ca.crt`);
    const socket = connectTls({ host: '127.0.0.1', port: entrepot.port, ca: body, servername: 'localhost' });
    socket.write('CONNECT quay.io:443 HTTP/1.1\r\nHost: quay.io:443\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    const inner = connectTls({ socket, ca: body, servername: 'quay.io' });
    await once(inner, 'secureConnect');
    inner.destroy();
    socket.destroy();
  });

  test('is not entered twice by its own name', async () => {
    await using scope = new AsyncDisposableStack();
    const addr = `127.0.0.1:${await freePort()}`;
    const entrepot = scope.use(await Entrepot.start({ config: { http: { addr, tls: { auto: true } } } }));
    const ca = (await get(`http://127.0.0.1:${entrepot.port}/ca.crt`)).body.toString();
    const target = `localhost:${entrepot.port}`;
    const socket = await secureTunnel(entrepot.port, { target, ca });
    socket.write(`GET /v2/ HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /, 'its own name is itself');
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    const [again] = (await once(socket, 'data')) as [Buffer];
    assert.match(again.toString(), /^HTTP\/1\.1 405 /);
    socket.destroy();
  });
});
