/** `intercept.hosts: "*"`: whatever behaves like a registry is served from here, though nobody named it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { testAuthority } from '../support/certificates.ts';
import { get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeImage } from '../support/images.ts';
import { ProxiedClient } from '../support/tunnel.ts';

const app = makeImage({ seed: 'app', layers: [10_000] });
// The machine's own authorities are what registries that nobody named are judged by.
setDefaultCACertificates([...getCACertificates('default'), testAuthority().ca]);

async function scene({ others = 'refuse', dial = ['127.0.0.1'] }: { others?: string; dial?: readonly string[] } = {}) {
  await using opening = new AsyncDisposableStack();
  const registry = opening.use(await CountingUpstream.start({ tls: true, auth: { kind: 'bearer' } }));
  registry.publish('team/app:1', app);
  const page = createServer(testAuthority().issue(['localhost']), (_request, response) => response.end('a page'));
  page.listen(0, '127.0.0.1');
  opening.defer(() => void page.close());
  await once(page, 'listening');
  const { port: pagePort } = page.address() as AddressInfo;
  const ports = [Number(new URL(registry.origin).port), pagePort];
  const intercept = { hosts: '*', others, ports, dial };
  const entrepot = opening.use(await Entrepot.start({ config: { intercept } }));
  const ca = (await get(`${entrepot.origin}/ca.crt?ca=interception`)).body.toString();
  const host = `localhost:${ports[0]}`;
  const names = { [registry.origin]: `https://${host}` };
  const client = new ProxiedClient(() => entrepot.port, { ca, names });
  const scope = opening.move();
  const manifest = `https://${host}/v2/team/app/manifests/1`;
  return { registry, entrepot, client, manifest, pagePort, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

describe('a registry that nobody named', () => {
  test('is found out by one question, and served from here from then on', async () => {
    await using at = await scene();
    const first = await at.client.request(at.manifest);
    assert.equal(first.status, 200, first.body.toString());
    assert.equal(first.headers['docker-content-digest'], app.digest);
    assert.equal(at.registry.count({ method: 'GET', path: /\/v2\/$/ }), 1, at.registry.summary());
    await at.entrepot.until('cache.answered');
    at.registry.forbid();
    assert.equal((await at.client.request(at.manifest)).status, 200);
    at.registry.assertUntouched();
  });

  test('is still known to be one after a restart, while it is away', async () => {
    await using at = await scene();
    assert.equal((await at.client.request(at.manifest)).status, 200);
    await at.entrepot.restart();
    await at.registry.down();
    const answer = await at.client.request(at.manifest);
    assert.equal(answer.status, 200, answer.body.toString());
  });

  test('is not asked where the address must not be connected to', async () => {
    await using at = await scene({ dial: [] });
    await assert.rejects(at.client.request(at.manifest), /answered 403/);
    assert.equal(at.registry.connections(), 0);
  });
});

describe('what is no registry', () => {
  test('is refused, and named in the log and the metric', async () => {
    await using at = await scene();
    await assert.rejects(at.client.ask(`https://localhost:${at.pagePort}/`), /answered 403/);
    const [passed] = at.entrepot.told('proxy.passed');
    assert.deepEqual(passed, { type: 'proxy.passed', host: `localhost:${at.pagePort}`, how: 'refused' });
  });

  test('is connected to untouched, where the configuration says so', async () => {
    await using at = await scene({ others: 'tunnel' });
    // Its own certificate comes through: nobody has opened its TLS.
    const ca = testAuthority().ca;
    const direct = new ProxiedClient(() => at.entrepot.port, { ca });
    const { status, body } = await direct.ask(`https://localhost:${at.pagePort}/`);
    assert.equal(status, 200);
    assert.equal(body.toString(), 'a page');
    assert.equal(at.entrepot.told('proxy.passed')[0]?.how, 'tunnelled');
  });
});
