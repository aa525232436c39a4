/**
 * An upload in all the ways there are: at once, by the piece, streamed; broken off and gone on with; given up.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { makeBlob } from '../support/blobs.ts';
import { get } from '../support/client.ts';
import type { Answer } from '../support/client.ts';
import { Entrepot } from '../support/entrepot.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/over-time.ts';
import { locationOf, openRequest, receivedBytes, startUpload, untilReceived, withDigest } from '../support/push.ts';

const blob = makeBlob(1_000_000, 'uploaded');
const bytes = blob.bytes();

const codeOf = ({ body }: Answer): string =>
  (JSON.parse(body.toString()) as { errors: [{ code: string }] }).errors[0].code;

const patch = (location: string, start: number, end: number, range = `${start}-${end - 1}`): Promise<Answer> =>
  get(location, { method: 'PATCH', body: bytes.subarray(start, end), headers: { 'Content-Range': range } });

const put = (location: string, body?: Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
  get(withDigest(location, blob.digest), { method: 'PUT', headers, ...(body === undefined ? {} : { body }) });

async function assertThere(url: string): Promise<void> {
  assert.deepEqual((await get(`${url}/blobs/${blob.digest}`)).body, bytes);
}

/** What lies in the store that is no blob. */
async function leftIn(entrepot: Entrepot): Promise<readonly string[]> {
  return readdir(join(entrepot.storeDirectory, 'entrepot/ingest'));
}

describe('an upload', () => {
  test('in one request, with the digest', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const answer = await get(`${url}/blobs/uploads/?digest=${blob.digest}`, { method: 'POST', body: bytes });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['docker-content-digest'], blob.digest);
    await assertThere(url);
  });

  test('by the piece, in order: any other piece is told what comes next, and changes nothing', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    for (const [start, end] of [
      [0, 1],
      [1, 400_000],
      [400_000, 999_999],
    ] as const) {
      const early = await patch(location, 999_000, 1_000_000);
      assert.equal(early.status, 416);
      assert.equal(early.headers.range, `0-${Math.max(start - 1, 0)}`);
      assert.equal(locationOf(url, early), location);
      const next = await patch(location, start, end);
      assert.deepEqual([next.status, next.headers.range], [202, `0-${end - 1}`]);
      assert.equal((await patch(location, start, end)).status, 416, 'twice');
    }
    for (const [range, why] of [
      ['nonsense', /"nonsense" is not of the form FIRST-LAST/],
      ['999999', /is not of the form FIRST-LAST/],
      ['bytes=999999-', /is not of the form FIRST-LAST/],
      ['999999-1000003', /tells of 5 bytes, and 1 come/],
      ['5-5', /is not the next piece: 999999 bytes have been received/],
    ] as const) {
      const refused = await patch(location, 999_999, 1_000_000, range);
      assert.equal(refused.status, 416, range);
      const said = refused.body.toString().replaceAll('\\"', '"');
      assert.match(said, why);
      assert.match(said, /; go on with Content-Range: 999999-LAST, or without one/);
    }
    assert.equal((await put(location, bytes.subarray(5, 6), { 'Content-Range': '5-5' })).status, 416);
    const last = await put(location, bytes.subarray(999_999), { 'Content-Range': '999999-999999' });
    assert.equal(last.status, 201);
    await assertThere(url);
  });

  test('streamed without a length, and another stream after it', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    for (const half of [bytes.subarray(0, 500_000), bytes.subarray(500_000)]) {
      const sending = openRequest(location, 'PATCH');
      for (let at = 0; at < half.length; at += 7_777) await sending.write(half.subarray(at, at + 7_777));
      sending.end();
      assert.equal((await sending.answer).status, 202);
    }
    assert.equal((await put(location)).status, 201);
    await assertThere(url);
  });

  test('for which the client waits to be asked', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const interim: number[] = [];
    const answer = await get(withDigest(await startUpload(url), blob.digest), {
      method: 'PUT',
      body: bytes,
      headers: { Expect: '100-continue' },
      onInterim: (status) => interim.push(status),
    });
    assert.deepEqual([answer.status, interim], [201, [100]]);
    const refused = await get(`${entrepot.origin}/v2/team/app/blobs/uploads/`, {
      method: 'POST',
      body: bytes,
      headers: { Expect: '100-continue' },
      onInterim: (status) => interim.push(status),
    });
    assert.deepEqual([refused.status, interim], [405, [100]]);
  });

  test('with a sha512 digest, whether or not that was said beforehand', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const digest = `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
    for (const query of ['', '?digest-algorithm=sha512']) {
      const started = await get(`${url}/blobs/uploads/${query}`, { method: 'POST' });
      const location = locationOf(url, started);
      await patch(location, 0, 600_000);
      const answer = await get(withDigest(location, digest), { method: 'PUT', body: bytes.subarray(600_000) });
      assert.equal(answer.headers['docker-content-digest'], digest);
      assert.deepEqual((await get(`${url}/blobs/${digest}`)).body, bytes);
      assert.equal((await get(`${url}/blobs/${digest}`, { method: 'DELETE' })).status, 202);
    }
    const unknown = await get(`${url}/blobs/uploads/?digest-algorithm=md5`, { method: 'POST' });
    assert.equal(codeOf(unknown), 'DIGEST_INVALID');
  });

  test('of other bytes than its digest says leaves nothing behind', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    assert.equal(codeOf(await get(location, { method: 'PUT', body: bytes })), 'DIGEST_INVALID');
    const wrong = await put(location, bytes.subarray(1));
    assert.deepEqual([wrong.status, codeOf(wrong)], [400, 'DIGEST_INVALID']);
    assert.equal((await get(`${url}/blobs/${blob.digest}`)).status, 404);
    assert.equal((await get(location)).status, 404);
    assert.deepEqual(await leftIn(entrepot), []);
  });

  test('can be cancelled', async () => {
    await using entrepot = await Entrepot.start();
    const location = await startUpload(`${entrepot.origin}/v2/local/app`);
    await patch(location, 0, 300_000);
    assert.equal((await get(location, { method: 'DELETE' })).status, 204);
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const answer = await get(withDigest(location, blob.digest), { method });
      assert.deepEqual([answer.status, codeOf(answer)], [404, 'BLOB_UPLOAD_UNKNOWN']);
    }
    assert.deepEqual(await leftIn(entrepot), []);
  });

  test('belongs to its repository alone', async () => {
    await using entrepot = await Entrepot.start();
    const location = await startUpload(`${entrepot.origin}/v2/local/app`);
    assert.equal((await get(location.replace('/v2/local/app/', '/v2/local/other/'))).status, 404);
  });

  test('whose last answer was lost may be ended twice', async () => {
    await using entrepot = await Entrepot.start();
    const location = await startUpload(`${entrepot.origin}/v2/local/app`);
    assert.equal((await put(location, bytes)).status, 201);
    assert.equal((await put(location, bytes)).status, 201);
  });
});

describe('a broken upload', () => {
  test('is gone on with over another connection', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    const sending = openRequest(location, 'PATCH');
    await sending.write(bytes.subarray(0, 345_678));
    await untilReceived(location, 200_000);
    sending.abort();
    let answer = await patch(location, 345_678, 1_000_000);
    // What was under way when the client was cut off may have come or not: the answer tells.
    while (answer.status === 416) answer = await patch(location, await receivedBytes(location), 1_000_000);
    assert.equal(answer.status, 202);
    assert.equal((await put(location)).status, 201);
    await assertThere(url);
  });

  test('is gone on with after a restart, with what was received', async () => {
    await using entrepot = await Entrepot.start();
    const { pathname } = new URL(await startUpload(`${entrepot.origin}/v2/local/app`));
    await patch(`${entrepot.origin}${pathname}`, 0, 456_789);
    await entrepot.restart();
    const location = `${entrepot.origin}${pathname}`;
    assert.equal(await receivedBytes(location), 456_789);
    assert.equal((await put(location, bytes.subarray(456_789))).status, 201);
    await assertThere(`${entrepot.origin}/v2/local/app`);
  });

  test('is written to by one request at a time', async () => {
    await using entrepot = await Entrepot.start();
    const url = `${entrepot.origin}/v2/local/app`;
    const location = await startUpload(url);
    const sending = openRequest(location, 'PATCH');
    await sending.write(bytes.subarray(0, 500_000));
    await untilReceived(location, 1);
    const other = await patch(location, 0, 1_000);
    assert.deepEqual([other.status, codeOf(other)], [409, 'BLOB_UPLOAD_INVALID']);
    await sending.write(bytes.subarray(500_000));
    sending.end();
    assert.equal((await sending.answer).status, 202);
    assert.equal((await put(location)).status, 201);
    await assertThere(url);
  });

  test('whose client leaves right after its last byte is there, or gone in time (distribution#4406, zot#2598)', async () => {
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock });
    const url = `${entrepot.origin}/v2/local/app`;
    for (const [method, to] of [
      ['PUT', (location: string) => withDigest(location, blob.digest)],
      ['PATCH', (location: string) => location],
    ] as const) {
      const headers = { 'Content-Length': String(bytes.length) };
      const sending = openRequest(to(await startUpload(url)), method, headers);
      await sending.write(bytes);
      sending.abort();
    }
    await until(clock, async () => (await leftIn(entrepot)).length === 0, 60 * 60 * 1000);
    const { status, body } = await get(`${url}/blobs/${blob.digest}`);
    assert.deepEqual(status === 200 ? body : status, status === 200 ? bytes : 404);
  });

  test('is given up after a day without a byte', async () => {
    const clock = new FakeClock();
    await using entrepot = await Entrepot.start({ clock });
    const url = `${entrepot.origin}/v2/local/app`;
    const [old, young] = [await startUpload(url), await startUpload(url)];
    const hour = 60 * 60 * 1000;
    await patch(old, 0, 1_000);
    await clock.advance(20 * hour);
    await patch(young, 0, 1_000);
    assert.equal((await leftIn(entrepot)).length, 2);
    await clock.advance(5 * hour);
    await until(clock, async () => (await leftIn(entrepot)).length === 1, hour / 6);
    assert.equal((await get(old)).status, 404);
    assert.equal(await receivedBytes(young), 1_000);
  });
});
