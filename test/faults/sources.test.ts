/** One blob, two registries: whoever asks at one that is well does not depend on the other. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drain, open } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { makeBlob } from '../support/images.ts';
import { stall } from '../support/upstream-faults.ts';
import { assertWhole, mib } from './world.ts';

const blob = makeBlob(3 * mib, 'base');

async function scene() {
  await using opening = new AsyncDisposableStack();
  const hub = opening.use(await CountingUpstream.start());
  const quay = opening.use(await CountingUpstream.start());
  hub.publishBlob('library/redis', blob);
  quay.publishBlob('team/app', blob);
  const entrepot = opening.use(
    await Entrepot.start({
      upstreams: { 'docker.io': hub, 'quay.io': quay },
      config: { upstreams: { 'docker.io': { timeouts: { stall: '500ms' } } } },
    }),
  );
  const scope = opening.move();
  return {
    hub,
    quay,
    entrepot,
    url: (upstream: string, name: string) => `${entrepot.origin}/v2/${name}/blobs/${blob.digest}?ns=${upstream}`,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

describe('a blob that two registries have', () => {
  test('comes from the one that is well, for the clients of both, when the other falls silent', async () => {
    await using at = await scene();
    using _silent = at.hub.fault({ path: '/blobs/' }, stall(mib));
    using first = await open(at.url('docker.io', 'library/redis'));
    await first.read(1_000);
    assertWhole(await drain(at.url('quay.io', 'team/app')), blob);
    assert.equal((await first.rest()).length, blob.size - 1_000);
    assert.equal(at.quay.blobBytes(blob.digest).distinct, blob.size - mib);
  });

  test('comes from the first one alone while that is well', async () => {
    await using at = await scene();
    const gate = at.hub.gate({ path: '/blobs/' }, { at: mib });
    using first = await open(at.url('docker.io', 'library/redis'));
    await first.read(1_000);
    const second = drain(at.url('quay.io', 'team/app'));
    await at.entrepot.until('cache.answered', ({ upstream }) => upstream === 'quay.io');
    gate.release();
    assertWhole(await second, blob);
    assert.equal(at.quay.count({ method: 'GET', path: '/blobs/' }), 0);
  });
});
