import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { digestOf } from '../oci/digest.ts';
import { parseTag } from '../oci/reference.ts';
import { keyOf, stage } from './testing.ts';
import type { ExplainView } from './views.ts';

const startMs = 1_800_000_000_000;

describe('explaining an image', () => {
  test('that is not held says so and how clients ask for it', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    const view = (await admin.get('/v1/explain?image=redis:7')) as ExplainView;
    assert.equal(view.verdict, 'Not held: a pull fetches it from docker.io.');
    assert.equal(view.upstream?.url, 'https://registry-1.docker.io');
    assert.deepEqual(view.routes, [
      'docker.io/library/redis:7 (dockerd with registry-mirrors)',
      'docker.io/library/redis:7 (containerd with hosts.toml, Podman with registries.conf)',
      'CACHE:5000/docker.io/library/redis:7',
    ]);
  });

  test('that is hosted says so, and that its tag is never asked about', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('local/team/app', '1', { layers: ['a', 'b'], blobs: 2 });
    const view = (await admin.get('/v1/explain?image=local/team/app:1')) as ExplainView;
    assert.deepEqual([view.image, view.repository, view.upstream], ['local/team/app:1', 'local/team/app', undefined]);
    assert.deepEqual(view.routes, ['CACHE:5000/local/team/app:1']);
    assert.deepEqual([view.tag?.state, view.tag?.dueAtMs], ['fresh', undefined]);
    assert.equal(view.manifest?.kept, 'pushed here: never evicted');
    assert.equal(
      view.verdict,
      'Hosted here: a pull is served from here. 1 of its 3 parts is not held, and nobody else is asked for them.',
    );
    const nothing = (await admin.get('/v1/explain?image=local/team/app:2')) as ExplainView;
    assert.equal(nothing.verdict, 'Hosted here, and not held: a pull finds nothing until it is pushed.');
  });

  test('tells a fresh tag from a due one, and when it becomes due', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock(startMs);
    await using admin = await stage(dir.path, clock);
    const manifest = await admin.hold('docker.io/library/redis', '7');
    const fresh = (await admin.get('/v1/explain?image=redis:7')) as ExplainView;
    assert.equal(fresh.verdict, 'Held: a pull is served from here without asking docker.io.');
    assert.deepEqual(
      [fresh.tag?.state, fresh.tag?.digest, fresh.tag?.dueAtMs],
      ['fresh', manifest.digest, startMs + 60_000],
    );
    await clock.advance(60_000);
    const due = (await admin.get('/v1/explain?image=redis:7')) as ExplainView;
    assert.equal(due.tag?.state, 'due');
    assert.match(due.verdict, /^Held: the next pull asks docker\.io once whether the tag has moved/);
    const byDigest = (await admin.get(`/v1/explain?image=redis@${manifest.digest}`)) as ExplainView;
    assert.equal(byDigest.verdict, 'Held: a pull is served from here without asking docker.io.');
  });

  test('tells what is missing of it, and what is arriving', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    const manifest = await admin.hold('quay.io/a/one', '1', { layers: ['a', 'b'], blobs: 1 });
    const arriving = manifest.children[1]?.digest ?? digestOf('');
    admin.cache.arriving = [
      { key: keyOf('quay.io/a/one'), digest: arriving, size: 9, arrived: 1, readers: 1, state: 'fetching' },
    ];
    const view = (await admin.get('/v1/explain?image=quay.io/a/one:1')) as ExplainView;
    assert.deepEqual(
      view.manifest?.members.map(({ state }) => state),
      ['held', 'arriving', 'missing'],
    );
    assert.match(view.verdict, /2 of its 3 parts are not held; quay\.io is asked for them/);
  });

  test('tells held content from content that this repository has not earned', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('quay.io/private/one', '1', { layers: ['secret'] });
    const claimed = await admin.hold('quay.io/a/two', '1', { blobs: 0 });
    const view = (await admin.get('/v1/explain?image=quay.io/a/two:1')) as ExplainView;
    // The config is the same content; it rests in the store because of the other repository.
    assert.equal(
      view.manifest?.members.find(({ digest }) => digest === claimed.children[0]?.digest)?.state,
      'unearned',
    );
  });

  test('tells why it is kept', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(
      dir.path,
      new FakeClock(startMs),
      'version: 0.1\ncache: { pins: ["quay.io/base/*"] }\n',
    );
    await admin.hold('quay.io/base/os', '1');
    await admin.hold('docker.io/library/redis', '7');
    const gone = await admin.hold('ghcr.io/a/b', '1');
    await admin.index.manifests.mark(keyOf('ghcr.io/a/b'), gone.digest, true);
    const kept = async (image: string) =>
      ((await admin.get(`/v1/explain?image=${image}`)) as ExplainView).manifest?.kept;
    assert.equal(await kept('quay.io/base/os:1'), 'pinned by quay.io/base/*: never evicted');
    assert.equal(await kept('ghcr.io/a/b:1'), 'the upstream no longer has it: evicted after everything else');
    assert.match((await kept('redis:7')) ?? '', /^used: evicted when/);
    await admin.post('/v1/pin?image=redis:7');
    assert.equal(await kept('redis:7'), 'pinned by docker.io/library/redis:7: never evicted');
  });

  test('says that the upstream fails and what that means', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock(startMs);
    await using admin = await stage(dir.path, clock);
    await admin.hold('quay.io/a/one', '1', { blobs: 1 });
    await clock.advance(120_000);
    admin.statuses.set('quay.io', { circuit: 'open', lastError: 'no route' });
    const held = (await admin.get('/v1/explain?image=quay.io/a/one:1')) as ExplainView;
    assert.equal(
      held.verdict,
      'Held: a pull is served from here, as stale unless quay.io answers again, because quay.io failed when it was last asked. 1 of its 2 parts is not held, and quay.io failed when it was last asked.',
    );
    const absent = (await admin.get('/v1/explain?image=quay.io/a/one:2')) as ExplainView;
    assert.equal(
      absent.verdict,
      'Not held, and quay.io failed when it was last asked: a pull fails unless quay.io answers again.',
    );
  });

  test('says that nobody is asked while the configuration says so', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock(startMs);
    await using admin = await stage(dir.path, clock, 'version: 0.1\ncache: { offline: true }\n');
    await admin.hold('quay.io/a/one', '1');
    await clock.advance(120_000);
    const held = (await admin.get('/v1/explain?image=quay.io/a/one:1')) as ExplainView;
    assert.equal(held.verdict, 'Held: a pull is served from here, as stale, because cache.offline is set.');
    const absent = (await admin.get('/v1/explain?image=quay.io/a/one:2')) as ExplainView;
    assert.equal(absent.verdict, 'Not held, and cache.offline is set: a pull fails.');
  });

  test('says that the configuration keeps clients from it', async () => {
    await using dir = await TempDir.make();
    const yaml = 'version: 0.1\nupstreams: { quay.io: { deny: ["secret/**"] } }\n';
    await using admin = await stage(dir.path, new FakeClock(startMs), yaml);
    const view = (await admin.get('/v1/explain?image=quay.io/secret/x:1')) as ExplainView;
    assert.match(view.verdict, /^Clients are refused: upstreams\.quay\.io\.allow and deny/);
  });

  test('says where the upstream has moved a tag whose manifest is not held yet', async () => {
    await using dir = await TempDir.make();
    const clock = new FakeClock(startMs);
    await using admin = await stage(dir.path, clock);
    await admin.hold('quay.io/a/one', '1');
    const descriptor = { digest: digestOf('next'), size: 3, mediaType: 'application/vnd.oci.image.index.v1+json' };
    await admin.index.tags.see(keyOf('quay.io/a/one'), parseTag('1'), descriptor, startMs);
    const view = (await admin.get('/v1/explain?image=quay.io/a/one:1')) as ExplainView;
    assert.equal(view.tag?.seenDigest, descriptor.digest);
    assert.match(view.verdict, /has moved the tag since/);
  });
});
