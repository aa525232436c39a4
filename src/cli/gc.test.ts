import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { TempDir } from '../../test/support/temp-dir.ts';
import { digestOf } from '../oci/digest.ts';
import { cannedServer, cli } from './testing.ts';

const clock = new FakeClock();
const digest = digestOf('gone');
const collected = { type: 'collected', blobs: [{ digest, size: 5 }], freedBytes: 5 };
const done = { type: 'done', dryRun: false, manifests: 2, blobs: 1, freedBytes: 5, waiting: 0 };

describe('gc', () => {
  test('says what is gone, and what is still too young', async () => {
    await using dir = await TempDir.make();
    const socket = dir.join('admin.sock');
    const waiting = { ...done, dryRun: true, waiting: 3 };
    await using _ = await cannedServer(socket, {
      'POST /v1/gc': [collected, done],
      'POST /v1/gc?dryrun=true': [waiting],
    });
    const ran = await cli(['gc', '--socket', socket], { clock });
    assert.equal(ran.out, '2 untagged manifests and 1 blobs are gone; 5 B freed.\n');
    const tried = await cli(['gc', '--dry-run', '--socket', socket], { clock });
    assert.match(tried.out, /would go, which would free 5 B\. 3 more .* too young to go \(collect\.grace\)\.\n$/);
    const json = await cli(['gc', '--dry-run', '--json', '--socket', socket], { clock });
    assert.deepEqual(JSON.parse(json.out), waiting);
  });

  test('fails with the server’s own words', async () => {
    await using dir = await TempDir.make();
    const socket = dir.join('admin.sock');
    const failed = { type: 'failed', code: 'UNAVAILABLE', message: 'a collection is under way already' };
    await using _ = await cannedServer(socket, { 'POST /v1/gc': [failed] });
    const ran = await cli(['gc', '--socket', socket], { clock });
    assert.deepEqual([ran.code, ran.notes], [1, 'a collection is under way already\n']);
  });
});

describe('garbage-collect', () => {
  const env = (dir: TempDir) => ({ ENTREPOT_ADMIN_SOCKET: dir.join('admin.sock') });

  test('asks the server that runs with this configuration', async () => {
    await using dir = await TempDir.make();
    await using server = await cannedServer(dir.join('admin.sock'), {
      'POST /v1/gc?dryrun=false&untagged=true': [collected, done],
    });
    const ran = await cli(['garbage-collect', '-m'], { clock, env: env(dir) });
    assert.equal(ran.code, 0, ran.notes);
    assert.match(ran.out, new RegExp(`^blob eligible for deletion: ${digest}\n2 untagged manifests`));
    assert.equal(server.asked.length, 1);
  });

  test('collects by itself where none runs, and says nothing when it is to be quiet', async () => {
    await using dir = await TempDir.make();
    const asked: unknown[] = [];
    const collectStopped = async function* (_: unknown, request: unknown) {
      asked.push(request);
      yield done as never;
    };
    const ran = await cli(['garbage-collect', '-d', '-q'], { clock, env: env(dir), collectStopped });
    assert.deepEqual(ran, { code: 0, out: '', notes: '' });
    assert.deepEqual(asked, [{ dryRun: true, untagged: false }]);
  });

  test('takes flags with their values, as registry does', async () => {
    await using dir = await TempDir.make();
    const asked: unknown[] = [];
    const collectStopped = async function* (_: unknown, request: unknown) {
      asked.push(request);
      yield done as never;
    };
    for (const flags of [
      ['--delete-untagged=true', '--dry-run=false'],
      ['-m=1', '-q=TRUE'],
      ['-m=false', '-d=true'],
    ]) {
      const ran = await cli(['garbage-collect', ...flags], { clock, env: env(dir), collectStopped });
      assert.equal(ran.code, 0, ran.notes);
    }
    assert.deepEqual(asked, [
      { dryRun: false, untagged: true },
      { dryRun: false, untagged: true },
      { dryRun: true, untagged: false },
    ]);
    const odd = await cli(['garbage-collect', '--dry-run=maybe'], { clock, env: env(dir), collectStopped });
    assert.equal(odd.code, 2);
  });
});
