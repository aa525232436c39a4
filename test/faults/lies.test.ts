/** fetching → failed: what arrives is not what its digest says. Nobody completes it, nothing of it is kept. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get, head, together } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeBlob, makeImage } from '../support/images.ts';
import { contentEncodingGzip, corrupt, cut, html200, noLength } from '../support/upstream-faults.ts';
import type { Fault } from '../support/upstream-faults.ts';
import { Random } from './random.ts';
import { assertPiece, assertRefused, assertWhole, kib, mib, urlOf, World } from './world.ts';

const blobs = { path: '/blobs/' };

describe('wrong bytes of the right length', () => {
  test('are completed by no client and kept by nobody; the event names who sent them (nora#581)', async () => {
    const random = new Random();
    await random.tell(async () => {
      await using world = await World.start();
      using _lie = world.upstream.fault(blobs, corrupt(random.below(world.blob.size)));
      for (const client of await together(10, () => world.drain())) {
        assertRefused(client);
        assert.ok(client.bytes <= world.blob.size - 32 * kib, 'its end was held back');
      }
      await world.nothingKept();
      const [lied] = world.entrepot.told('upstream.lied');
      assert.equal(lied?.upstream, 'docker.io');
      assert.equal(lied?.repository, 'library/redis');
      assert.equal(lied?.digest, world.blob.digest);
      assert.match(lied?.reason ?? '', /^the content has digest sha256:/);
    });
  });

  test('are asked for anew by the next client, who gets the right ones from a good upstream', async () => {
    await using world = await World.start();
    {
      using _lie = world.upstream.fault(blobs, corrupt(mib));
      assertRefused(await world.drain());
    }
    assertWhole(await world.drain(), world.blob);
    await world.onlyKept();
  });

  test('in one range of a big blob are found out as well', async () => {
    await using world = await World.start({ size: 40 * mib });
    using lie = world.upstream.fault({ ...blobs, times: 1 }, corrupt(33 * mib));
    for (const client of await together(3, () => world.drain())) assertRefused(client);
    assert.equal(lie.hits, 1);
    await world.nothingKept();
  });

  test('do not end the body of who asked for everything from some byte on', async () => {
    await using world = await World.start();
    for (const first of [0, 1, mib, world.blob.size - 40 * kib, world.blob.size - 1]) {
      using _lie = world.upstream.fault(blobs, corrupt(2 * mib));
      assertRefused(await world.drain({ headers: { range: `bytes=${first}-` } }));
    }
    await world.nothingKept();
  });

  test('do not end the body of who asked for the whole as a range', async () => {
    await using world = await World.start();
    using _lie = world.upstream.fault(blobs, corrupt(2 * mib));
    assertRefused(await world.drain({ headers: { range: `bytes=0-${world.blob.size - 1}` } }));
  });

  test('of a blob of a few bytes are never sent at all', async () => {
    for (const size of [1, 100, 32 * kib]) {
      await using world = await World.start({ size });
      using _lie = world.upstream.fault(blobs, corrupt(size - 1));
      const client = await world.drain();
      assertRefused(client);
      assert.ok(!client.complete || client.status === 502, `${client.status}`);
      await world.nothingKept();
    }
  });

  test('that come after a resumption are found out as well', async () => {
    await using world = await World.start();
    world.upstream.fault({ ...blobs, times: 1 }, cut(mib));
    world.upstream.fault({ ...blobs, skip: 1 }, corrupt(2 * mib));
    assertRefused(await world.drain());
    await world.nothingKept();
  });
});

describe('an upstream that answers something else with 200', () => {
  const others: readonly (readonly [what: string, fault: () => Fault])[] = [
    ['a web page (harbor#23882)', html200],
    ['the blob, compressed though nobody asked', contentEncodingGzip],
  ];
  for (const [what, fault] of others) {
    test(`${what} is not believed, and not passed on`, async () => {
      await using world = await World.start();
      {
        using _lie = world.upstream.fault(blobs, fault());
        for (const client of await together(3, () => world.drain())) assert.equal(client.status, 502);
        const answer = await get(world.url);
        assert.match(answer.body.toString(), /"code":"UNAVAILABLE"/);
        assert.equal(answer.headers['docker-content-digest'], undefined);
      }
      await world.nothingKept();
      assertWhole(await world.drain(), world.blob);
    });
  }

  test('a web page is not the size of a blob either', async () => {
    await using world = await World.start();
    using _lie = world.upstream.fault(blobs, html200());
    assert.equal((await head(world.url)).status, 502);
  });
});

describe('a body without a length', () => {
  test('is kept when it is right, and the client is told its length nevertheless', async () => {
    await using world = await World.start();
    using _vague = world.upstream.fault(blobs, noLength());
    const client = await world.drain();
    assertWhole(client, world.blob);
    assert.equal(client.headers['content-length'], String(world.blob.size));
    await world.onlyKept();
  });

  test('that is cut is no shorter blob: it is resumed, or refused, and never kept (harbor#23373)', async () => {
    const random = new Random();
    await random.tell(async () => {
      await using world = await World.start({ clock: new FakeClock() });
      const at = random.below(world.blob.size);
      world.upstream.fault(blobs, noLength());
      using cutting = world.upstream.fault(blobs, cut(at));
      assertRefused(await world.overTime(world.drain()));
      assert.ok(cutting.hits > 1, 'it was asked again');
      assert.equal(await world.isKept(), false);
      cutting.lift();
      assertWhole(await world.overTime(world.drain()), world.blob);
    });
  });
});

describe('an upstream that lies about sizes', () => {
  test('sends less than its manifest says, with a length to match: nobody completes it', async () => {
    await using world = await World.start();
    const image = makeImage({ layers: [world.blob] });
    world.upstream.publish('library/redis:7', image);
    assert.equal((await get(manifestUrl(world, image.digest))).status, 200);
    const short = makeBlob(world.blob.size - 1_000, 'short');
    using _lie = world.upstream.fault(blobs, insteadOf(short));
    assertRefused(await world.drain());
    await world.nothingKept();
  });

  test('sends more than its manifest says: nobody completes it', async () => {
    await using world = await World.start();
    const image = makeImage({ layers: [world.blob] });
    world.upstream.publish('library/redis:7', image);
    await get(manifestUrl(world, image.digest));
    using _lie = world.upstream.fault(blobs, insteadOf(makeBlob(world.blob.size + 1_000, 'long')));
    assertRefused(await world.drain());
    await world.nothingKept();
  });

  test('sends nothing, and calls that the blob', async () => {
    await using world = await World.start();
    using _lie = world.upstream.fault(blobs, insteadOf(makeBlob(0, 'nothing')));
    const client = await world.drain();
    assertRefused(client);
    await world.nothingKept();
  });

  for (const first of ['lying', 'honest'] as const) {
    test(`does not keep us from a blob that another manifest describes rightly (the ${first} one first)`, async () => {
      await using world = await World.start();
      const honest = makeImage({ layers: [world.blob] });
      const lying = makeImage({ layers: [{ ...world.blob, size: world.blob.size + 1 }] });
      world.upstream.publish('library/redis:7', honest);
      world.upstream.publish('library/redis:evil', lying);
      world.upstream.publishBlob('library/redis', world.blob);
      const order = first === 'lying' ? [lying, honest] : [honest, lying];
      for (const { digest } of order) assert.equal((await get(manifestUrl(world, digest))).status, 200);
      assertWhole(await world.drain(), world.blob);
      await world.onlyKept();
    });
  }
});

describe('a blob that the upstream does not have', () => {
  test('is a 404 that names the upstream, and is asked for again by the next client', async () => {
    await using world = await World.start();
    const unknown = makeBlob(100, 'unknown');
    const answer = await get(urlOf(world.entrepot.origin, unknown));
    assert.equal(answer.status, 404);
    assert.match(answer.body.toString(), /BLOB_UNKNOWN.*docker\.io\/library\/redis/);
    world.upstream.publishBlob('library/redis', unknown);
    const again = await get(urlOf(world.entrepot.origin, unknown));
    assertPiece(again.body, unknown);
    assert.equal(again.status, 200);
  });
});

function manifestUrl({ entrepot }: World, digest: string): string {
  return `${entrepot.origin}/v2/library/redis/manifests/${digest}?ns=docker.io`;
}

function insteadOf(content: ReturnType<typeof makeBlob>): Fault {
  return {
    kind: 'reply',
    change: (reply) => {
      reply.content = content;
    },
  };
}
