import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { Event } from '../observe/events.ts';
import { digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { stage } from './testing.ts';
import type { HealthView, ImageView, PageView, PinsView, PullLine, StatisticsView, UsageView } from './views.ts';

type Failed = Extract<Event, { readonly type: 'admin.failed' }>;

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

  test('is healthy while its store and its index answer', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    assert.deepEqual(await admin.get('/v1/health'), { problems: {} });
    await rm(dir.join('index.db'));
    const { problems } = (await admin.get('/v1/health')) as HealthView;
    assert.deepEqual(Object.keys(problems), ['index']);
    assert.match(problems['index'] ?? '', /was removed or replaced/);
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

  test('holds what is hosted as much as what is cached', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('team/app', '1', { layers: ['x'.repeat(5000)] });
    const { heldBytes, rows } = (await admin.get('/v1/usage')) as UsageView;
    assert.deepEqual(
      rows.map(({ name, images }) => `${name} ${images}`),
      ['hosted 1'],
    );
    assert.equal(heldBytes, rows[0]?.heldBytes);
    assert.equal(((await admin.get('/v1/statistics')) as StatisticsView).heldBytes, heldBytes);
  });

  test('counts an index and what it lists as one image', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    const amd64 = await admin.hold('quay.io/a/one', undefined, { layers: ['x'.repeat(3000)] });
    const arm64 = await admin.hold('quay.io/a/one', undefined, { layers: ['y'.repeat(3000)] });
    await admin.holdIndex('quay.io/a/one', '1', [amd64, arm64]);
    const { rows } = (await admin.get('/v1/usage')) as UsageView;
    assert.deepEqual(
      rows.map(({ name, images }) => `${name} ${images}`),
      ['quay.io 1'],
    );
    // Both layers with the name before them, the shared config, and the two manifests.
    assert.equal(rows[0]?.heldBytes, 2 * 3014 + 2 + amd64.size + arm64.size);
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
    assert.deepEqual(await admin.post('/v1/pin?image=redis*'), { pattern: 'docker.io/library/redis*', changed: true });
    await admin.post('/v1/unpin?image=redis*');
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

  test('tells the log what failed, and not what was asked wrongly', async (t) => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.refused('POST', '/v1/purge?image=redis');
    await admin.refused('POST', '/v1/refresh?image=nowhere.example/a');
    await admin.refused('GET', '/v1/nothing');
    assert.deepEqual(admin.events, []);
    const readOnly = new RegistryError('UNAVAILABLE', 'deleting a blob failed with EROFS', { origin: 'store' });
    t.mock.method(admin.cache, 'purge', () => Promise.reject(readOnly));
    t.mock.method(admin.index.repositories, 'statistics', () => Promise.reject(new TypeError('our mistake')));
    await admin.refused('POST', '/v1/purge?image=redis:7');
    await admin.refused('GET', '/v1/statistics');
    assert.deepEqual(admin.events, [
      {
        type: 'admin.failed',
        action: 'purge',
        target: 'redis:7',
        requestId: 'r1',
        code: 'UNAVAILABLE',
        message: readOnly.message,
      },
      {
        type: 'admin.failed',
        action: 'statistics',
        target: '',
        requestId: 'r1',
        code: 'UNKNOWN',
        message: 'our mistake',
      },
    ]);
  });

  test('purges no whole repository by a slip', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    assert.match(await admin.refused('POST', '/v1/purge?image=redis'), /names no tag/);
    assert.match(await admin.refused('POST', '/v1/purge?image=redis:7&whole=true'), /without tag/);
    assert.deepEqual(admin.cache.calls, []);
  });

  test('fetches and forgets nothing that is hosted, and says what to do instead', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    await admin.hold('local/team/app', '1');
    const image = 'image=local/team/app:1';
    assert.match(
      await admin.refused('POST', `/v1/pull?${image}`),
      /^UNSUPPORTED .* is hosted here: .*nothing to fetch$/,
    );
    assert.match(await admin.refused('POST', `/v1/refresh?${image}`), /^UNSUPPORTED .* is hosted here: /);
    assert.match(await admin.refused('POST', `/v1/purge?${image}`), /DELETE \/v2\/local\/team\/app\/manifests\/1$/);
    assert.match(
      await admin.refused('POST', '/v1/purge?image=local/team/app&whole=true'),
      /DELETE \/v2\/local\/team\/app\/manifests\/REFERENCE$/,
    );
    assert.match(await admin.refused('POST', `/v1/pin?${image}`), /never evicted, and needs no pin$/);
    assert.deepEqual([admin.cache.calls, admin.events], [[], []]);
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
    const report = { digest, manifests: 1, blobs: 1, bytes: 100, fetchedBytes: 60, damaged: 0, unkept: [] };
    admin.cache.onWarm = async (options) => {
      options.onProgress({ digest, what: 'blob', size: 100, done: 40 });
      await Promise.resolve();
      options.onProgress({ digest, what: 'blob', size: 100, done: 100 });
      return report;
    };
    const lines = (await admin.post(
      '/v1/pull?image=redis:7&platform=linux/amd64&platform=linux/arm64&verify=true',
    )) as PullLine[];
    assert.deepEqual(admin.cache.calls, ['warm docker.io/library/redis 7 linux/amd64,linux/arm64 verify operator']);
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
    const { code, message, ...failed } = admin.events.find(({ type }) => type === 'admin.failed') as Failed;
    assert.deepEqual([failed.action, failed.target, code], ['pull', 'redis:7', 'UPSTREAM_LIMITED']);
    assert.equal(message, 'docker.io: too many requests');
  });

  test('tells a slow reader the newest position only', async () => {
    await using dir = await TempDir.make();
    await using admin = await stage(dir.path, new FakeClock(startMs));
    admin.cache.onWarm = async (options) => {
      for (let done = 1; done <= 1000; done++) options.onProgress({ digest, what: 'blob', size: 1000, done });
      return { digest, manifests: 1, blobs: 1, bytes: 1000, fetchedBytes: 1000, damaged: 0, unkept: [] };
    };
    const lines = (await admin.post('/v1/pull?image=redis:7')) as PullLine[];
    assert.equal(lines.length, 2);
  });
});
