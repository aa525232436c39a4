import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseTag } from '../oci/reference.ts';
import { keyOf, stage } from './testing.ts';
import type { ExplainView, ImageView, PageView, PinsView, PullLine, StatisticsView, UsageView } from './views.ts';

const startMs = 1_800_000_000_000;

describe('the admin API', () => {
  test('lists images by name, page by page', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    for (const name of ['quay.io/a/one', 'quay.io/a/two', 'docker.io/library/redis']) await admin.hold(name, '7');
    const first = (await admin.get('/v1/images?limit=2')) as PageView<ImageView>;
    const second = (await admin.get(
      `/v1/images?limit=2&last=${encodeURIComponent(first.next ?? '')}`,
    )) as PageView<ImageView>;
    assert.deepEqual(
      [...first.items, ...second.items].map(({ repository, tags }) => `${repository}:${tags.join()}`),
      ['docker.io/library/redis:7', 'quay.io/a/one:7', 'quay.io/a/two:7'],
    );
    assert.equal(second.next, undefined);
    const quay = (await admin.get('/v1/images?prefix=quay.io/a/t')) as PageView<ImageView>;
    assert.deepEqual(
      quay.items.map(({ repository }) => repository),
      ['quay.io/a/two'],
    );
  });

  test('sums up by upstream and by repository, largest first', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('quay.io/a/one', '1', { layers: ['x'.repeat(5000)] });
    await admin.hold('docker.io/library/redis', '7', { layers: ['y'.repeat(100)] });
    await admin.hold('docker.io/library/nginx', '1', { layers: ['z'.repeat(100)] });
    const byUpstream = (await admin.get('/v1/usage')) as UsageView;
    assert.deepEqual(
      byUpstream.rows.map(({ name, images }) => `${name} ${images}`),
      ['quay.io 1', 'docker.io 2'],
    );
    const byRepository = (await admin.get('/v1/usage?by=repository&prefix=docker.io')) as UsageView;
    assert.deepEqual(byRepository.rows.map(({ name }) => name).sort(), [
      'docker.io/library/nginx',
      'docker.io/library/redis',
    ]);
    assert.ok(byUpstream.heldBytes >= 5200);
  });

  test('shows statistics', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('quay.io/a/one', '1');
    const statistics = (await admin.get('/v1/statistics')) as StatisticsView;
    assert.equal(statistics.version, '1.2.3');
    assert.equal(statistics.startedAtMs, startMs);
    assert.equal(statistics.manifests, 1);
    assert.equal(statistics.tags, 1);
  });

  test('pins by the name that people write, and takes the pin away again', async () => {
    await using dir = await TempDir.make();
    const admin = await stage(dir.path, new FakeClock(startMs), 'version: 0.1\ncache: { pins: ["quay.io/base/*"] }\n');
    await using _ = admin;
    assert.deepEqual(await admin.post('/v1/pin?image=redis:7*'), {
      pattern: 'docker.io/library/redis:7*',
      changed: true,
    });
    assert.deepEqual(await admin.post('/v1/pin?image=index.docker.io/redis:7*'), {
      pattern: 'docker.io/library/redis:7*',
      changed: false,
    });
    const { pins } = (await admin.get('/v1/pins')) as PinsView;
    assert.deepEqual(pins, [
      { pattern: 'quay.io/base/*', from: 'configuration' },
      { pattern: 'docker.io/library/redis:7*', from: 'operator' },
    ]);
    assert.deepEqual(await admin.post('/v1/unpin?image=redis:7*'), {
      pattern: 'docker.io/library/redis:7*',
      changed: true,
    });
    assert.deepEqual(await admin.post('/v1/unpin?image=redis:7*'), {
      pattern: 'docker.io/library/redis:7*',
      changed: false,
    });
    assert.match(await admin.refused('POST', '/v1/unpin?image=quay.io/base/*'), /remove it from cache\.pins/);
    assert.match(
      await admin.refused('POST', '/v1/pin?image=nowhere.example/a'),
      /^UPSTREAM_UNKNOWN .*add it under upstreams/,
    );
  });

  test('tells of what it was made to do, for the log', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.post('/v1/refresh?image=redis:7');
    await admin.post('/v1/purge?image=redis:7');
    await admin.post('/v1/purge?image=redis&whole=true');
    assert.deepEqual(admin.cache.calls, [
      'refresh docker.io/library/redis 7',
      'purge docker.io/library/redis 7',
      'purge docker.io/library/redis whole',
    ]);
    assert.deepEqual(admin.events, [
      { type: 'admin.acted', action: 'refresh', target: 'docker.io/library/redis:7', requestId: 'r1' },
      { type: 'admin.acted', action: 'purge', target: 'docker.io/library/redis:7', requestId: 'r1' },
      { type: 'admin.acted', action: 'purge', target: 'docker.io/library/redis', requestId: 'r1' },
    ]);
  });

  test('purges no whole repository by a slip', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    assert.match(await admin.refused('POST', '/v1/purge?image=redis'), /names no tag/);
    assert.match(await admin.refused('POST', '/v1/purge?image=redis:7&whole=true'), /without tag/);
    assert.deepEqual(admin.cache.calls, []);
  });

  test('understands a name that was copied from a docker command', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.post('/v1/refresh?image=cache.example:5000/quay.io/a/one:1');
    assert.deepEqual(admin.cache.calls, ['refresh quay.io/a/one 1']);
    assert.match(
      await admin.refused('POST', '/v1/refresh?image=cache.example:5000/a/one:1'),
      /cache\.example:5000 is not a known registry/,
    );
  });

  test('refuses what it does not have, each with its reason', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    assert.match(await admin.refused('GET', '/v1/nothing'), /^NOT_FOUND/);
    assert.match(await admin.refused('GET', '/v1/purge?image=redis:7'), /^UNSUPPORTED/);
    assert.match(await admin.refused('GET', '/v1/explain'), /^REQUEST_INVALID the parameter "image" is missing/);
    assert.match(await admin.refused('GET', '/v1/images?limit=0'), /^REQUEST_INVALID "limit" is a whole number/);
    assert.match(await admin.refused('GET', '/v1/images?limit=1001'), /^REQUEST_INVALID/);
    assert.match(await admin.refused('GET', '/v1/explain?image=UPPER'), /^NAME_INVALID/);
    assert.match(await admin.refused('POST', `/v1/refresh?image=redis@${digestOf('x')}`), /nothing to refresh/);
  });
});

describe('a pull through the admin API', () => {
  const digest = digestOf('blob');

  test('reports as it goes and how it ended', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    const report = { digest, manifests: 1, blobs: 1, bytes: 100, fetchedBytes: 60 };
    admin.cache.onWarm = async (options) => {
      options.onProgress({ digest, what: 'blob', size: 100, done: 40 });
      await Promise.resolve();
      options.onProgress({ digest, what: 'blob', size: 100, done: 100 });
      return report;
    };
    const lines = (await admin.post('/v1/pull?image=redis:7&platform=linux/amd64&platform=linux/arm64')) as PullLine[];
    assert.deepEqual(admin.cache.calls, ['warm docker.io/library/redis 7 linux/amd64,linux/arm64 operator']);
    assert.deepEqual(lines.at(-1), { type: 'done', image: 'docker.io/library/redis:7', ...report });
    assert.deepEqual(lines.at(-2), { type: 'progress', digest, what: 'blob', size: 100, done: 100 });
  });

  test('ends with the reason when it fails', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    admin.cache.onWarm = () => Promise.reject(new RegistryError('UPSTREAM_LIMITED', 'docker.io: too many requests'));
    assert.deepEqual(await admin.post('/v1/pull?image=redis:7'), [
      { type: 'failed', code: 'UPSTREAM_LIMITED', message: 'docker.io: too many requests' },
    ]);
  });

  test('tells a slow reader the newest position only', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    admin.cache.onWarm = async (options) => {
      for (let done = 1; done <= 1000; done++) options.onProgress({ digest, what: 'blob', size: 1000, done });
      return { digest, manifests: 1, blobs: 1, bytes: 1000, fetchedBytes: 1000 };
    };
    const lines = (await admin.post('/v1/pull?image=redis:7')) as PullLine[];
    assert.equal(lines.length, 2);
  });
});

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
      'Held: a pull is served from here, as stale, because quay.io fails at the moment. 1 of its 2 parts is not held, and quay.io fails at the moment.',
    );
    const absent = (await admin.get('/v1/explain?image=quay.io/a/one:2')) as ExplainView;
    assert.equal(absent.verdict, 'Not held, and quay.io fails at the moment: a pull fails.');
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
