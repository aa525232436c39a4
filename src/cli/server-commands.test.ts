import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import type { ImageView, StatisticsView } from '../admin/views.ts';
import { digestOf } from '../oci/digest.ts';
import { cannedServer, cli } from './testing.ts';
import type { Canned, Ran } from './testing.ts';

const clock = new FakeClock();
const digest = digestOf('one');

/** Runs a command against canned answers. */
async function against(answers: Canned, args: readonly string[], terminal = false): Promise<Ran> {
  await using dir = await TempDir.make();
  const socket = dir.join('admin.sock');
  await using _ = await cannedServer(socket, answers);
  const { out, ...rest } = await cli([...args, '--socket', socket], { clock, terminal });
  return { ...rest, out };
}

const image: ImageView = {
  repository: 'docker.io/library/redis',
  digest,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  tags: ['7', 'latest'],
  describedBytes: 150_000_000,
  heldBytes: 41_000_000,
  storedAtMs: clock.now(),
  lastUsedMs: clock.now() - 7_200_000,
  pinned: true,
  gone: false,
};

describe('ls', () => {
  test('prints a table of what has a tag', async () => {
    const answers = { 'GET /v1/images?limit=200': { items: [image, { ...image, tags: [] }] } };
    const { code, out } = await against(answers, ['ls']);
    assert.equal(code, 0);
    assert.equal(
      out,
      `IMAGE                    TAGS       DIGEST                  HELD   WHOLE  LAST USED\n` +
        `docker.io/library/redis  7, latest  ${digest.slice(0, 19)}  41.0 MB  150 MB    2 h ago  pinned\n`,
    );
  });

  test('follows the pages, and says when there is more', async () => {
    const answers = {
      'GET /v1/images?prefix=docker.io&limit=200': { items: [image], next: 'a' },
      'GET /v1/images?prefix=docker.io&last=a&limit=200': { items: [image, image] },
    };
    const all = await against(answers, ['ls', 'docker.io', '--json']);
    assert.equal((JSON.parse(all.out) as unknown[]).length, 3);
    assert.equal(all.notes, '');
    const some = await against(answers, ['ls', 'docker.io', '--json', '--limit', '2']);
    assert.equal((JSON.parse(some.out) as unknown[]).length, 2);
    assert.equal(some.notes, 'There are more; see them with --limit 20.\n');
  });

  test('shows what is arriving', async () => {
    const download = {
      repository: 'quay.io/a/b',
      digest,
      size: 2_000_000,
      arrived: 500_000,
      readers: 3,
      state: 'fetching',
    };
    const { out } = await against({ 'GET /v1/downloads': [download] }, ['ls', '-d']);
    assert.match(out, /quay\.io\/a\/b +sha256:\w+ +500 kB +2\.0 MB +3 +fetching\n$/);
  });

  test('lets no name from outside reach into the terminal', async () => {
    const evil = { ...image, repository: 'quay.io/\u001b[2Jx' };
    const { out } = await against({ 'GET /v1/images?limit=200': { items: [evil] } }, ['ls'], true);
    assert.equal(out.includes('\u001b'), false);
  });
});

describe('du', () => {
  test('prints rows and what is held in all', async () => {
    const row = { name: 'docker.io', images: 3, heldBytes: 1_500_000_000, lastUsedMs: clock.now() };
    const statistics: Partial<StatisticsView> = { blobs: 1, freeBytes: 80_000_000_000 };
    const answers = {
      'GET /v1/usage?by=upstream': { heldBytes: 1_200_000_000, rows: [row] },
      'GET /v1/statistics': statistics,
    };
    const { out } = await against(answers, ['du']);
    assert.match(out, /^NAME +IMAGES +HELD +LAST USED\ndocker\.io +3 +1\.5 GB +0 s ago\n/);
    assert.match(out, /1\.2 GB held in 1 blob, 80\.0 GB free on the disk\./);
  });
});

describe('pull', () => {
  const progress = { type: 'progress', digest, what: 'blob', size: 100, done: 40 } as const;
  const done = {
    type: 'done',
    image: 'docker.io/library/redis:7',
    digest,
    manifests: 1,
    blobs: 1,
    bytes: 100,
    fetchedBytes: 60,
    damaged: 0,
    unkept: [],
  };
  const path = 'POST /v1/pull?image=redis%3A7';

  test('prints a line when something is done', async () => {
    const answers = { [path]: [progress, { ...progress, done: 100 }, done] };
    const { code, out, notes } = await against(answers, ['pull', 'redis:7']);
    assert.equal(code, 0);
    assert.equal(notes, `blob ${digest.slice(0, 19)} 100 B done\n`);
    assert.equal(out, `docker.io/library/redis:7 is held: ${digest}, 100 B, 60 B fetched.\n`);
  });

  test('draws bars on a terminal', async () => {
    const answers = { [path]: [progress, { ...progress, done: 100 }, done] };
    const { notes } = await against(answers, ['pull', 'redis:7'], true);
    assert.match(notes, /\[={12} {18}\] 40 B of 100 B\n/);
    assert.match(notes, /1 part done/);
  });

  test('has what is held read again, and says how that ended', async () => {
    const verify = `${path}&verify=true`;
    const right = await against({ [verify]: [{ ...done, fetchedBytes: 0 }] }, ['pull', 'redis:7', '--verify']);
    assert.match(right.out, /100 B, all of it was held and is right\.\n$/);
    const wrong = await against({ [verify]: [{ ...done, damaged: 2 }] }, ['pull', 'redis:7', '--verify']);
    assert.match(wrong.out, /100 B, 60 B fetched; damaged, put aside and fetched anew: 2\.\n$/);
  });

  test('fails when not all of it was kept, and says why', async () => {
    const part = { digest, what: 'blob', size: 60 } as const;
    const full = { ...part, reason: 'the cache has no room for it: raise cache.size' };
    const gone = { ...part, reason: 'it did not stay: the log says why' };
    const answers = { [path]: [{ ...done, blobs: 3, unkept: [full, gone, full] }] };
    for (const json of [[], ['--json']]) {
      const { code, out, notes } = await against(answers, ['pull', 'redis:7', ...json]);
      assert.equal(code, 1);
      assert.doesNotMatch(out, /is held/);
      assert.equal(
        notes,
        'docker.io/library/redis:7 is not held whole; of its 4 parts these were fetched and not kept:\n' +
          `  2 (120 B): ${full.reason}\n  1 (60 B): ${gone.reason}\n`,
      );
    }
  });

  test('fails with the reason of the server', async () => {
    const answers = { [path]: [progress, { type: 'failed', code: 'UPSTREAM_LIMITED', message: 'docker.io: 429' }] };
    const { code, notes } = await against(answers, ['pull', 'redis:7']);
    assert.equal(code, 1);
    assert.match(notes, /docker\.io: 429; see what is known of it with "entrepot explain redis:7"\.\n$/);
  });

  test('fails when the server goes away without saying how it ended', async () => {
    const { code, notes } = await against({ [path]: [progress] }, ['pull', 'redis:7']);
    assert.equal(code, 1);
    assert.match(notes, /did not say how the pull ended; look into its log/);
  });

  test('asks for platforms and prints the lines as they are for programs', async () => {
    const answers = { 'POST /v1/pull?image=redis%3A7&platform=linux%2Famd64&platform=linux%2Farm64': [progress, done] };
    const { out } = await against(answers, ['pull', 'redis:7', '--json', '-p', 'linux/amd64', '-p', 'linux/arm64']);
    assert.equal(out, `${JSON.stringify(progress)}\n${JSON.stringify(done)}\n`);
  });
});

describe('explain', () => {
  test('says of an upstream that failed that it did, and not that it still does', async () => {
    const upstream = { name: 'quay.io', url: 'https://quay.io', circuit: 'open', lastError: 'no route', allowed: true };
    const view = { image: 'quay.io/a:1', routes: [], upstream, verdict: 'Not held.' };
    const { out } = await against({ 'GET /v1/explain?image=quay.io%2Fa%3A1': view }, ['explain', 'quay.io/a:1']);
    assert.match(out, /^upstream +quay\.io at .*; failed when it was last asked \(no route\), and is asked again/m);
  });
});

describe('what is not there', () => {
  test('is no platform to pull', async () => {
    const { code, notes } = await against({}, ['pull', 'redis:7', '-p', 'linux']);
    assert.equal(code, 2);
    assert.match(notes, /"linux" is not a platform; write one such as linux\/amd64/);
  });

  test('is not purged, which is said', async () => {
    const text = 'docker.io/library/redis:7';
    const answers = { 'POST /v1/purge?image=redis%3A7': { image: text, tags: 0, manifests: 0, blobs: 0, bytes: 0 } };
    const { code, out } = await against(answers, ['purge', 'redis:7']);
    assert.deepEqual([code, out], [0, `Nothing is held of ${text}.\n`]);
  });
});

describe('pin, unpin, refresh and purge', () => {
  test('say what they did', async () => {
    const pattern = 'docker.io/library/redis:7';
    const pinned = await against({ 'POST /v1/pin?image=redis%3A7': { pattern, changed: true } }, ['pin', 'redis:7']);
    assert.equal(pinned.out, `${pattern} is pinned.\n`);
    const unpinned = await against({ 'POST /v1/unpin?image=redis%3A7': { pattern, changed: true } }, [
      'unpin',
      'redis:7',
    ]);
    assert.equal(unpinned.out, `${pattern} is not pinned any more.\n`);
    const refreshed = await against(
      { 'POST /v1/refresh?image=redis%3A7': { image: pattern, found: true, digest, outcome: 'revalidated' } },
      ['refresh', 'redis:7'],
    );
    assert.equal(refreshed.out, `${pattern} is ${digest}.\n`);
    const purged = await against(
      {
        'POST /v1/purge?image=redis&whole=true': {
          image: 'docker.io/library/redis',
          tags: 1,
          manifests: 3,
          blobs: 1,
          bytes: 5000,
        },
      },
      ['purge', 'redis', '--whole'],
    );
    assert.equal(purged.out, 'docker.io/library/redis: 1 tag, 3 manifests and 1 blob are gone; 5.0 kB freed.\n');
  });

  test('fail with 1 when there was nothing to do', async () => {
    const answers = {
      'POST /v1/unpin?image=redis%3A7': { pattern: 'x', changed: false },
      'POST /v1/refresh?image=redis%3A7': { image: 'x', found: true, digest, outcome: 'stale' },
    };
    assert.equal((await against(answers, ['unpin', 'redis:7'])).code, 1);
    const stale = await against(answers, ['refresh', 'redis:7']);
    assert.equal(stale.code, 1);
    assert.match(stale.notes, /could not be asked; what is held stays/);
  });

  test('without an image, pin lists the pins', async () => {
    const answers = { 'GET /v1/pins': { pins: [{ pattern: 'quay.io/a/*', from: 'configuration' }] } };
    assert.match((await against(answers, ['pin'])).out, /quay\.io\/a\/\* +cache\.pins/);
  });
});

describe('a command for a running server', () => {
  test('repeats the words of the server when that refuses', async () => {
    const { code, notes } = await against({}, ['explain', 'redis']);
    assert.equal(code, 1);
    assert.equal(notes, 'nothing is canned for GET /v1/explain?image=redis\n');
  });

  test('says what to do when no server runs', async () => {
    await using dir = await TempDir.make();
    const { code, notes } = await cli(['ls', '--socket', dir.join('none.sock')], { clock });
    assert.equal(code, 1);
    assert.match(notes, /^No server answers at .*none\.sock; start one with "entrepot serve", or/);
  });

  test('says how to do without the configuration where that has a mistake', async () => {
    const { code, notes } = await cli(['ls'], { clock, env: { ENTREPOT_CACHE_SIZE: 'much' } });
    assert.equal(code, 1);
    assert.match(notes, /^ENTREPOT_CACHE_SIZE: .*correct it and try again\. A server .* by --socket\.$/ms);
  });

  test('finds the socket through the configuration', async () => {
    await using dir = await TempDir.make();
    await using server = await cannedServer(dir.join('admin.sock'), { 'GET /v1/pins': { pins: [] } });
    const env = { ENTREPOT_ADMIN_SOCKET: dir.join('admin.sock') };
    assert.equal((await cli(['pin'], { clock, env })).code, 0);
    assert.deepEqual(server.asked, ['GET /v1/pins']);
  });
});

describe('health', () => {
  test('is silent success for probes', async () => {
    const { code, out } = await against({ 'GET /v1/health': { problems: {} } }, ['health']);
    assert.deepEqual([code, out], [0, 'ready\n']);
  });

  test('fails with the parts that keep the server from serving', async () => {
    const { code, notes } = await against({ 'GET /v1/health': { problems: { store: 'disk gone' } } }, ['health']);
    assert.equal(code, 1);
    assert.match(notes, /not ready: store: disk gone; look into its log/);
  });

  test('prints JSON for programs, whatever it finds', async () => {
    for (const problems of [{}, { store: 'disk gone' }]) {
      const ready = !('store' in problems);
      const { code, out } = await against({ 'GET /v1/health': { problems } }, ['health', '--json']);
      assert.equal(code, ready ? 0 : 1);
      assert.deepEqual(JSON.parse(out), { ready, problems });
    }
  });
});
