/**
 * The cache is smaller than the world. What stays, what goes, and what happens when something is lost. Time is the test's.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { drain, get } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeBlob, makeImage } from '../support/images.ts';
import { overTime } from '../support/over-time.ts';
import { pull } from '../support/pull.ts';

const seconds = 1_000;
const hours = 3_600_000;

/** a and b share a base; each image has 30,000 bytes of its own, and a config of a few hundred. */
const base = makeBlob(40_000, 'base');
const images = {
  a: makeImage({ seed: 'a', layers: [base, 30_000] }),
  b: makeImage({ seed: 'b', layers: [base, 30_000] }),
  c: makeImage({ seed: 'c', layers: [30_000] }),
  d: makeImage({ seed: 'd', layers: [30_000] }),
};
type Name = keyof typeof images;

/** Room for a and b with their base, or for one of them and c. */
const room = { size: 105_000, diskfree: 0 };

async function scene(config: Readonly<Record<string, unknown>> = { cache: room }) {
  await using opening = new AsyncDisposableStack();
  const clock = new FakeClock();
  const hub = opening.use(await CountingUpstream.start({ now: () => clock.now() }));
  for (const [name, image] of Object.entries(images)) hub.publish(`team/${name}:1`, image);
  const entrepot = opening.use(await Entrepot.start({ upstreams: { 'docker.io': hub }, clock, config }));
  const scope = opening.move();
  return {
    clock,
    hub,
    entrepot,
    /** Pulls each in turn, ten seconds apart, and returns how many bytes of blobs that took from the upstream. */
    async pulls(...names: readonly Name[]): Promise<number> {
      hub.reset();
      for (const name of names) {
        await pull(entrepot.origin, `team/${name}`, '1');
        while (entrepot.told('download').some(({ digest, step }) => step === 'started' && !ended(digest))) await turn();
        await clock.advance(10 * seconds);
      }
      const blobs = new Set(Object.values(images).flatMap((image) => image.blobs.map(({ digest }) => digest)));
      return [...blobs].reduce((sum, digest) => sum + hub.blobBytes(digest).sent, 0);
      function ended(digest: string): boolean {
        return entrepot.told('download').findLast((event) => event.digest === digest)?.step !== 'started';
      }
    },
    fileOf: (digest: string): string =>
      join(entrepot.storeDirectory, 'docker/registry/v2/blobs/sha256', digest.slice(7, 9), digest.slice(7), 'data'),
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
  };
}

const own = ({ blobs }: { readonly blobs: readonly { readonly size: number }[] }, without = 0): number =>
  blobs.reduce((sum, { size }) => sum + size, -without);

describe('when the cache is full', () => {
  test('the image that was used least recently goes, and what it shares with another stays', async () => {
    await using at = await scene();
    await at.pulls('a', 'b', 'a');
    assert.equal(await at.pulls('c'), own(images.c));
    assert.deepEqual(
      at.entrepot.told('cache.evicted').map(({ repository }) => repository),
      ['docker.io/team/b'],
    );
    assert.equal(await at.pulls('a', 'c'), 0, 'they are whole');
    assert.equal(await at.pulls('b'), own(images.b, base.size), 'its base was never gone');
  });

  test('its limit holds on the disk, too', async () => {
    await using at = await scene();
    for (const name of ['a', 'b', 'c', 'd', 'a', 'c'] as const) {
      await at.pulls(name);
      const files = await readdir(join(at.entrepot.storeDirectory, 'docker'), { recursive: true, withFileTypes: true });
      const data = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
      const sizes = await Promise.all(data.map(async (file) => (await readFile(file)).length));
      const held = sizes.reduce((sum, size) => sum + size, 0);
      assert.ok(held <= room.size, `${held} bytes`);
    }
  });

  test('pins stay, whether from the configuration or from an operator', async () => {
    await using at = await scene({ cache: { ...room, pins: ['docker.io/team/a:*'] } });
    await at.pulls('a', 'c');
    await at.entrepot.admin('POST /v1/pin', { image: 'docker.io/team/c:1' });
    await at.pulls('d', 'b', 'd');
    assert.equal(await at.pulls('a', 'c'), 0);
    await at.entrepot.admin('POST /v1/unpin', { image: 'docker.io/team/c:1' });
    await at.pulls('d', 'b');
    assert.equal(await at.pulls('a'), 0);
    assert.equal(await at.pulls('c'), own(images.c));
  });

  test('what the upstream no longer has goes last (kube-image-keeper#540)', async () => {
    await using at = await scene();
    await at.pulls('a');
    at.hub.withdraw('team/a:1');
    await at.clock.advance(61 * seconds);
    assert.equal((await get(`${at.entrepot.origin}/v2/team/a/manifests/1`)).headers['x-cache'], 'stale');
    await at.pulls('c', 'd', 'c', 'd');
    assert.equal(await at.pulls('a'), 0);
  });

  test('what is larger than all of it streams through, right and whole, and pushes nothing out', async () => {
    await using at = await scene();
    await at.pulls('a');
    const huge = makeBlob(300_000, 'huge');
    at.hub.publishBlob('team/c', huge);
    for (let client = 1; client <= 2; client++) {
      const { complete, digest } = await drain(`${at.entrepot.origin}/v2/team/c/blobs/${huge.digest}`);
      assert.ok(complete);
      assert.equal(digest, huge.digest);
      await at.entrepot.until('download', ({ step }) => step === 'unstored', client);
    }
    assert.equal(existsSync(at.fileOf(huge.digest)), false);
    assert.deepEqual(at.entrepot.told('cache.evicted'), []);
    assert.equal(await at.pulls('a'), 0);
  });
});

describe('what nobody has used for long', () => {
  const proxyOf = (ttl: string) => async () => {
    const hub = await CountingUpstream.start();
    hub.publish('team/c:1', images.c);
    return { hub, config: { proxy: { remoteurl: hub.origin, ttl } } };
  };

  test('goes after proxy.ttl where registry’s own key says so, counted from its last use', async () => {
    const { hub, config } = await proxyOf('2h')();
    await using _ = hub;
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock, config });
    await pull(entrepot.origin, 'team/c', '1');
    await entrepot.stored(2);
    await wait({ entrepot, clock }, 1.5 * hours);
    await pull(entrepot.origin, 'team/c', '1');
    const lastUse = clock.now();
    while (entrepot.told('cache.evicted').length === 0) await wait({ entrepot, clock }, 60 * seconds);
    const unused = (clock.now() - lastUse) / hours;
    assert.ok(unused >= 2 && unused < 2.1, `after ${unused} hours`);
    hub.reset();
    await pull(entrepot.origin, 'team/c', '1');
    assert.equal(hub.count({ method: 'GET', path: '/blobs/' }), 2);
  });

  test('stays nevertheless when the upstream has it no more (kube-image-keeper#540)', async () => {
    const { hub, config } = await proxyOf('2h')();
    await using _ = hub;
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock, config });
    await pull(entrepot.origin, 'team/c', '1');
    await entrepot.stored(2);
    hub.withdraw('team/c');
    await wait({ entrepot, clock }, 61 * seconds);
    assert.equal((await get(`${entrepot.origin}/v2/team/c/manifests/1`)).headers['x-cache'], 'stale');
    await wait({ entrepot, clock }, 5 * hours);
    await pull(entrepot.origin, 'team/c', '1');
  });
});

describe('what is purged', () => {
  test('is fetched again, and nothing else is', async () => {
    await using at = await scene({ cache: { ...room, size: '1MB' } });
    await at.pulls('a', 'b');
    const { body } = await at.entrepot.admin('POST /v1/purge', { image: 'docker.io/team/a:1' });
    assert.deepEqual(JSON.parse(body.toString()), {
      image: 'docker.io/team/a:1',
      manifests: 1,
      tags: 1,
      blobs: 2,
      bytes: own(images.a, base.size),
    });
    for (const { digest } of images.a.blobs) assert.equal(existsSync(at.fileOf(digest)), digest === base.digest);
    const again = await at.entrepot.admin('POST /v1/purge', { image: `docker.io/team/a@${images.a.digest}` });
    assert.equal(JSON.parse(again.body.toString()).manifests, 0, 'what is gone cannot go again');
    assert.equal(await at.pulls('b'), 0);
    assert.equal(await at.pulls('a'), own(images.a, base.size));
    assert.equal(at.hub.count({ method: 'GET', path: '/manifests/' }), 1);
  });
});

describe('what is lost', () => {
  test('from the disk under a running server is fetched again (distribution#1356)', async () => {
    await using at = await scene();
    await at.pulls('a');
    await rm(at.fileOf(base.digest));
    assert.equal(await at.pulls('a'), base.size);
    const [lost, ...others] = at.entrepot.told('cache.quarantined');
    assert.deepEqual([lost?.digest, lost?.reason, others.length], [base.digest, 'its file is gone', 0]);
    assert.equal(await at.pulls('a'), 0);
  });

  test('of a file, or changed in it, is found by the scrub, put aside, and fetched again', async () => {
    await using at = await scene();
    await at.pulls('a');
    const file = at.fileOf(base.digest);
    const bytes = await readFile(file);
    bytes[20_000] = ~(bytes[20_000] ?? 0);
    await writeFile(file, bytes);
    at.hub.reset();
    await overTime(at.clock, at.entrepot.until('cache.quarantined'), 600 * seconds);
    await at.entrepot.until('download', ({ digest, step }) => digest === base.digest && step === 'stored', 2);
    assert.equal(at.hub.blobBytes(base.digest).sent, base.size);
    assert.deepEqual(await readFile(file), base.bytes());
    const aside = await readdir(join(at.entrepot.storeDirectory, 'entrepot/quarantine'));
    assert.deepEqual(aside, [base.digest.replace(':', '-')]);
    assert.equal(await at.pulls('a'), 0);
  });

  test('of a file that two images share is found and made good by a pull that verifies', async () => {
    await using at = await scene();
    await at.pulls('a', 'b');
    const file = at.fileOf(base.digest);
    const bytes = await readFile(file);
    bytes[20_000] = ~(bytes[20_000] ?? 0);
    await writeFile(file, bytes);
    at.hub.reset();
    const pullA = async (verify: string): Promise<string> => {
      const { body } = await at.entrepot.admin('POST /v1/pull', { image: 'docker.io/team/a:1', verify });
      return body.toString().trimEnd().split('\n').at(-1) ?? '';
    };
    assert.match(await pullA('false'), /"fetchedBytes":0,"damaged":0,"unkept":\[\]/);
    assert.deepEqual(await readFile(file), bytes);
    assert.match(await pullA('true'), new RegExp(`"fetchedBytes":${base.size},"damaged":1,"unkept":\\[\\]`));
    assert.deepEqual(await readFile(file), base.bytes());
    assert.equal(at.hub.blobBytes(base.digest).sent, base.size);
    assert.equal(at.entrepot.told('cache.quarantined').length, 1);
    assert.match(await pullA('true'), /"fetchedBytes":0,"damaged":0,"unkept":\[\]/);
    assert.equal(await at.pulls('b'), 0);
  });

  test('and is being fetched again does not keep the server from stopping', async () => {
    await using at = await scene();
    await at.pulls('a');
    await rm(at.fileOf(base.digest));
    const gate = at.hub.gate({ method: 'GET', path: '/blobs/' });
    await at.clock.advance(59 * 60 * seconds);
    await overTime(at.clock, at.entrepot.until('cache.quarantined'), seconds);
    await gate.arrived();
    await at.entrepot.stop();
    assert.equal(at.entrepot.told('download').at(-1)?.step, 'suspended');
  });
});

/** Lets time pass, minute by minute, and the cache be looked after in each. */
async function wait({ entrepot, clock }: { entrepot: Entrepot; clock: FakeClock }, ms: number): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end;) {
    const looks = entrepot.told('cache.size').length;
    const looked = entrepot.until('cache.size', () => true, looks + 1);
    await overTime(clock, looked, 20 * seconds);
  }
}
