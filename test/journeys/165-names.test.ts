/** Names that DNS leads here: TLS by the name in its handshake, plain HTTP by its Host. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import type { Answer, RequestOptions } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { led } from '../support/tunnel.ts';

const app = makeImage({ seed: 'app', layers: [1_000] });

async function scene(config: Readonly<Record<string, unknown>> = {}) {
  await using opening = new AsyncDisposableStack();
  const quay = opening.use(await CountingUpstream.start({ tls: true }));
  quay.publish('team/app:1', app);
  const intercept = { addr: ['127.0.0.1:0'], ...(config['intercept'] as object) };
  const entrepot = opening.use(
    await Entrepot.start({ upstreams: { 'quay.io': quay }, config: { http: { tls: { auto: true } }, intercept } }),
  );
  const ca = (await get(`${entrepot.origin.replace('https', 'http')}/ca.crt`)).body.toString();
  const port = Number(new URL(entrepot.addresses.find((each) => each.startsWith('names:')) ?? '').port);
  const ask = (servername: string | undefined, host: string, path: string, options: RequestOptions = {}) =>
    get(`http://${host}${path}`, { headers: { host, ...options.headers }, agent: led(port, { ca, servername }) });
  const plainly = (host: string, path: string): Promise<Answer> =>
    get(`http://127.0.0.1:${port}${path}`, { headers: { host } });
  const scope = opening.move();
  return { quay, entrepot, ask, plainly, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

const manifest = '/v2/team/app/manifests/1';

describe('a registry whose name leads here', () => {
  test('is served over TLS by the name in the handshake', async () => {
    await using at = await scene();
    const { status, headers } = await at.ask('quay.io', 'quay.io', manifest);
    assert.equal(status, 200);
    assert.equal(headers['docker-content-digest'], app.digest);
  });

  test('is served over plain HTTP by its Host, and is the same one', async () => {
    await using at = await scene();
    assert.equal((await at.plainly('quay.io', manifest)).status, 200);
    await at.entrepot.until('cache.answered');
    at.quay.forbid();
    assert.equal((await at.plainly('quay.io:80', manifest)).status, 200);
    assert.equal((await at.ask('quay.io', 'quay.io', manifest)).status, 200);
    at.quay.assertUntouched();
  });

  test('is not served for another name than that of the handshake', async () => {
    await using at = await scene();
    for (const host of ['docker.io', 'quay.io.evil.example', 'quay.io:5000', 'localhost']) {
      assert.equal((await at.ask('quay.io', host, manifest)).status, 421, host);
    }
    assert.equal(at.quay.count(), 0);
  });
});

describe('where names lead', () => {
  test('a handshake without a name is with this server alone', async () => {
    await using at = await scene();
    assert.equal((await at.ask(undefined, '127.0.0.1', '/v2/')).status, 200);
    const answer = await at.ask(undefined, 'quay.io', manifest);
    assert.equal(answer.status, 421, 'nobody takes what Docker Hub has for what Quay has');
    assert.equal(at.quay.count(), 0);
  });

  test('a name that is no registry is refused, and the log names it', async () => {
    await using at = await scene();
    await assert.rejects(at.ask('example.com', 'example.com', '/'), /alert|unrecognized|closed|reset/i);
    await at.entrepot.until('proxy.passed', ({ host, how }) => host === 'example.com' && how === 'refused');
    const { status, body } = await at.plainly('example.com', manifest);
    assert.ok(status >= 400 && status < 500, String(status));
    assert.match(body.toString(), /example\.com.*upstreams/);
  });

  test('nobody tunnels, and strangers are not answered', async () => {
    await using at = await scene({ intercept: { clients: ['192.0.2.0/24'] } });
    await assert.rejects(at.ask('quay.io', 'quay.io', manifest), /alert|unrecognized|closed|reset/i);
    assert.equal((await at.plainly('quay.io', manifest)).status, 403);
    assert.equal(at.quay.count(), 0);
  });
});
