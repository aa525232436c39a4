import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CountingUpstream } from './counting-upstream.ts';
import { Entrepot } from './entrepot.ts';
import { FakeClock } from './fake-clock.ts';
import { makeImage } from './images.ts';
import { pull } from './pull.ts';

describe('the server in this process', () => {
  test('stands before its upstreams, tells what happens, and takes a new configuration', async () => {
    await using hub = await CountingUpstream.start({ auth: { kind: 'bearer', realm: 'other' }, blobRedirects: {} });
    const image = makeImage();
    hub.publish('library/redis:7', image);
    await using entrepot = await Entrepot.start({ upstreams: { 'docker.io': hub } });
    const pulled = await pull(entrepot.origin, 'library/redis', '7', { ns: 'docker.io' });
    assert.equal(pulled.digest, image.digest);
    await entrepot.stored(3);
    assert.equal((await entrepot.admin('GET /v1/images')).status, 200);
    await entrepot.configure({ cache: { offline: true } });
    assert.equal(entrepot.told('config.reloaded').length, 1);
  });

  test('trusts the authority of an upstream that speaks TLS, and keeps what it holds over a restart', async () => {
    const clock = new FakeClock();
    await using quay = await CountingUpstream.start({ tls: true, now: () => clock.now() });
    quay.publish('coreos/etcd:v3', makeImage());
    await using entrepot = await Entrepot.start({ upstreams: { 'quay.io': quay }, clock });
    await pull(entrepot.origin, 'coreos/etcd', 'v3', { ns: 'quay.io' });
    await entrepot.restart();
    quay.forbid();
    await pull(entrepot.origin, 'coreos/etcd', 'v3', { ns: 'quay.io' });
    quay.assertUntouched();
  });
});
