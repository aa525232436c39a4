/** Mirrors are asked first for bytes. Whatever they do wrong, the upstream itself is there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { head } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { corrupt, cut, html200, stall, status } from '../support/upstream-faults.ts';
import type { Fault } from '../support/upstream-faults.ts';
import { assertRefused, assertWhole, mib, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };

async function startWithMirror(): Promise<{ world: World; mirror: CountingUpstream } & AsyncDisposable> {
  const mirror = await CountingUpstream.start();
  const habits = { mirrors: [mirror.origin], dial: ['127.0.0.1'], timeouts: { stall: '30s' } };
  const world = await World.start({ habits, clock: new FakeClock() });
  mirror.publishBlob('library/redis', world.blob);
  return {
    world,
    mirror,
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await mirror[Symbol.asyncDispose]();
    },
  };
}

describe('a mirror', () => {
  test('is asked for the bytes, and the upstream for none', async () => {
    await using setting = await startWithMirror();
    const { world, mirror } = setting;
    assertWhole(await world.drain(), world.blob);
    assert.equal(world.sent.sent, 0);
    assert.equal(mirror.blobBytes(world.blob.digest).sent, world.blob.size);
  });

  const failures: readonly (readonly [what: string, fault: () => Fault])[] = [
    ['breaks off', () => cut(mib)],
    ['stalls', () => stall(mib)],
    ['does not have it', () => status(404)],
    ['fails', () => status(500)],
    ['limits us', () => status(429)],
    ['is a web page', html200],
  ];
  for (const [what, fault] of failures) {
    test(`that ${what} is made up for by the upstream, and no client notices`, async () => {
      await using setting = await startWithMirror();
      const { world, mirror } = setting;
      mirror.fault(blobs, fault());
      assertWhole(await world.overTime(world.drain()), world.blob);
      const fromMirror = mirror.blobBytes(world.blob.digest).sent;
      assert.ok(world.sent.sent <= world.blob.size, 'no byte twice from the upstream');
      assert.ok(what === 'is a web page' || world.sent.sent + fromMirror === world.blob.size, 'no byte twice at all');
      await world.onlyKept();
    });
  }

  test('answers HEAD as it answers GET while the upstream is away', async () => {
    await using setting = await startWithMirror();
    const { world } = setting;
    await world.upstream.down();
    const answer = await head(urlOf(world.entrepot.origin, world.blob));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], String(world.blob.size));
    assertWhole(await world.drain(), world.blob);
  });

  test('that sends wrong bytes is not asked for this blob again: the next client has the right ones', async () => {
    await using setting = await startWithMirror();
    const { world, mirror } = setting;
    mirror.fault(blobs, corrupt(mib));
    assertRefused(await world.drain());
    assertWhole(await world.overTime(world.drain()), world.blob);
    world.assertFetchedOnce();
    assert.equal(mirror.count(blobs), 1);
    await world.onlyKept();
  });
});
