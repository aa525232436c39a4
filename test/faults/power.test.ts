/**
 * A power cut cannot be had in a test, but what survives one follows from the order of what the kernel was asked for:
 * content is on the disk before its name is, its name before the index says so, and that before anybody is told.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { get } from '../support/client.ts';
import { makeImage } from '../support/images.ts';
import { ServerProcess } from '../support/processes.ts';
import { pushBlob, putManifest } from '../support/push.ts';
import { TempDir } from '../support/temp-dir.ts';
import { isAnswer, Tracing } from './strace.ts';

const image = makeImage({ seed: 'power', layers: [300_000] });
const [layer] = image.layers;
const config = { hosted: { names: ['local/**'] } };

type Found = (call: string) => boolean;

const synced =
  (path: RegExp): Found =>
  (call) =>
    /^f(?:data)?sync\(/.test(call) && path.test(call) && call.endsWith('= 0');
const answered =
  (status: number): Found =>
  (call) =>
    isAnswer(call) && call.includes(`HTTP/1.1 ${status} `);
const renamed: Found = (call) =>
  /^rename.*entrepot\/ingest\/upload-.*blobs\/sha256\/.*\/data"/.test(call) && call.endsWith('= 0');
const logged = synced(/entrepot\/index\.db-wal>/);

/** Each is there, after the one before it; returns where the last one is. */
function assertOrder(calls: readonly string[], from: number, steps: Readonly<Record<string, Found>>): number {
  let at = from;
  for (const [name, found] of Object.entries(steps)) {
    const next = calls.findIndex((call, position) => position >= at && found(call));
    assert.ok(next >= 0, `${name} is missing, or too early, in:\n${calls.slice(from).join('\n').slice(0, 6_000)}`);
    at = next + 1;
  }
  return at;
}

describe('what was acknowledged survives a power cut', () => {
  test('because everything was on the disk before, in its order', async (t) => {
    assert.ok(layer);
    await using dir = await TempDir.make();
    await using server = await ServerProcess.start({ directory: dir.path, startMsMax: 60_000, config });
    const url = `${server.origin}/v2/local/app`;
    await pushBlob(url, image.config);
    await using tracing = await Tracing.of(server.pid, dir.join('trace'));
    if (tracing === undefined) {
      t.skip('strace is not installed, or may not look into processes here: apt-get install strace');
      return;
    }
    await pushBlob(url, layer);
    assert.equal((await putManifest(url, '1', image)).status, 201);
    assert.equal((await get(`${url}/manifests/${image.digest}`, { method: 'DELETE' })).status, 202);
    const calls = await tracing.calls();
    const hex = layer.digest.slice('sha256:'.length);
    const started = assertOrder(calls, 0, { 'an upload is begun': answered(202) });
    const uploaded = assertOrder(calls, started, {
      'its content is synced': synced(/entrepot\/ingest\/upload-/),
      'it is renamed': renamed,
      'its directory is synced': synced(new RegExp(`blobs/sha256/${hex.slice(0, 2)}/${hex}>`)),
      'the index is durable': logged,
      'the client is told': answered(201),
    });
    const prefix = calls.slice(started, uploaded).findIndex(synced(new RegExp(`blobs/sha256/${hex.slice(0, 2)}>`)));
    assert.ok(prefix >= 0, 'the new directory has a name, too');
    const pushed = assertOrder(calls, uploaded, {
      'the index is durable': logged,
      'the client is told': answered(201),
    });
    assertOrder(calls, pushed, { 'the index is durable': logged, 'the client is told': answered(202) });
    const told = (status: number): number => calls.filter(answered(status)).length;
    assert.deepEqual([told(201), told(202)], [2, 2], 'nobody was told anything earlier');
  });
});
