/** That we hold a blob, or are fetching it, proves nothing: a repository gets it when its own upstream has answered for it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { drain, get, head } from '../support/client.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { makeImage } from '../support/images.ts';
import { assertWhole, mib, urlOf, World } from './world.ts';
import type { WorldOptions } from './world.ts';

/** Everything is private, and what our credentials can read is shared: so only the upstream keeps repositories apart. */
const private_: WorldOptions = {
  upstream: {
    auth: { kind: 'bearer', users: { puller: 'pass' }, anonymous: false, private: ['team'] },
  },
  habits: { credentials: { username: 'puller', password: 'pass' }, exposure: 'anyone' },
};

async function startWithTeams(): Promise<World & { readonly theirs: string; readonly ours: string }> {
  const world = await World.start(private_);
  world.upstream.publishBlob('team/theirs', world.blob);
  world.upstream.publish('team/ours:1', makeImage());
  const { origin } = world.entrepot;
  const urls = { theirs: urlOf(origin, world.blob, 'team/theirs'), ours: urlOf(origin, world.blob, 'team/ours') };
  return Object.assign(world, urls);
}

describe('a private blob that another repository holds', () => {
  test('is not there for one whose upstream does not have it (origin#9819)', async () => {
    await using world = await startWithTeams();
    assertWhole(await drain(world.theirs), world.blob);
    await world.onlyKept();
    assert.equal((await get(world.ours)).status, 404);
    assert.equal((await head(world.ours)).status, 404);
    assert.equal((await get(world.ours, { headers: { range: 'bytes=0-9' } })).status, 404);
    assert.equal((await get(world.ours)).status, 404, 'however often it is asked');
    assertWhole(await drain(world.theirs), world.blob);
  });

  test('is there for one whose upstream has it, and no byte is fetched for that', async () => {
    await using world = await startWithTeams();
    assertWhole(await drain(world.theirs), world.blob);
    await world.onlyKept();
    world.upstream.publishBlob('team/ours', world.blob);
    assertWhole(await drain(world.ours), world.blob);
    world.assertFetchedOnce();
    world.upstream.reset();
    assertWhole(await drain(world.ours), world.blob);
    assert.equal(world.upstream.count(), 0, 'once is enough');
  });
});

describe('a private blob that a mirror has, too', () => {
  test('is not there for a repository whose upstream cannot be asked', async () => {
    await using mirror = await CountingUpstream.start();
    const mirrors = [mirror.origin];
    await using world = await World.start({
      ...private_,
      habits: { ...private_.habits, mirrors, dial: ['127.0.0.1'] },
    });
    world.upstream.publishBlob('team/theirs', world.blob);
    assertWhole(await drain(urlOf(world.entrepot.origin, world.blob, 'team/theirs')), world.blob);
    await world.onlyKept();
    mirror.publishBlob('team/ours', world.blob);
    await world.upstream.down();
    const ours = urlOf(world.entrepot.origin, world.blob, 'team/ours');
    assert.equal((await head(ours)).status, 503);
    assert.equal((await get(ours)).status, 503);
    assert.equal(mirror.count({ path: '/team/ours/' }), 0);
  });
});

describe('a private blob that is arriving for another repository', () => {
  test('is not there for one whose upstream does not have it', async () => {
    await using world = await startWithTeams();
    const gate = world.upstream.gate({ path: '/blobs/', authorization: 'bearer', times: 1 }, { at: mib });
    const theirs = drain(world.theirs);
    await gate.arrived();
    assert.equal((await get(world.ours)).status, 404);
    gate.release();
    assertWhole(await theirs, world.blob);
  });

  test('is shared with one whose upstream has it', async () => {
    await using world = await startWithTeams();
    world.upstream.publishBlob('team/ours', world.blob);
    const gate = world.upstream.gate({ path: '/blobs/', authorization: 'bearer', times: 1 }, { at: mib });
    const theirs = drain(world.theirs);
    await gate.arrived();
    const ours = drain(world.ours);
    await world.upstream.ledger.arrived({ method: 'HEAD', path: '/team/ours/' });
    gate.release();
    assertWhole(await theirs, world.blob);
    assertWhole(await ours, world.blob);
    world.assertFetchedOnce();
  });
});

describe('a blob that nobody has answered for', () => {
  test('is not earned by asking two public repositories for it at the same time', async () => {
    const credentials = { username: 'puller', password: 'pass' };
    await using world = await World.start({
      upstream: { auth: { kind: 'bearer', users: { puller: 'pass' }, private: ['team'] } },
      habits: { credentials },
    });
    const { entrepot, upstream, blob } = world;
    for (const name of ['library/one', 'library/two']) upstream.publish(`${name}:1`, makeImage({ seed: name }));
    upstream.publishBlob('team/theirs', blob);
    const [one, two, theirs] = ['library/one', 'library/two', 'team/theirs'].map(
      (name) => () => get(urlOf(entrepot.origin, blob, name)),
    );
    assert.ok(one && two && theirs);
    const gate = upstream.gate({ method: 'GET', path: '/library/one/blobs/', times: 1 });
    const both = [one()];
    await gate.arrived();
    both.push(two());
    await upstream.ledger.arrived({ path: '/library/two/tags/' });
    gate.release();
    for (const { status } of await Promise.all(both)) assert.equal(status, 404);

    await entrepot.configure({ upstreams: { 'docker.io': { credentials, exposure: 'anyone' } } });
    assert.equal((await theirs()).status, 200);
    await world.onlyKept();
    await entrepot.configure({ upstreams: { 'docker.io': { credentials } } });
    assert.equal((await theirs()).status, 403);
    assert.equal((await two()).status, 404);
  });
});
