import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { testAuthority } from './certificates.ts';
import { drain, get, head, open, together } from './client.ts';
import { CountingUpstream } from './counting-upstream.ts';
import { makeBlob, makeImage } from './images.ts';
import * as fault from './upstream-faults.ts';
import type { Fault } from './upstream-faults.ts';

const BLOB = makeBlob(500_000, 'faults');
const IMAGE = makeImage();

interface Stage extends AsyncDisposable {
  readonly upstream: CountingUpstream;
  readonly blob: string;
  readonly manifest: string;
}

async function stage(bad?: Fault): Promise<Stage> {
  const upstream = await CountingUpstream.start();
  upstream.publishBlob('app', BLOB);
  upstream.publish('app:1', IMAGE);
  if (bad) upstream.fault({}, bad);
  return {
    upstream,
    blob: `${upstream.origin}/v2/app/blobs/${BLOB.digest}`,
    manifest: `${upstream.origin}/v2/app/manifests/1`,
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

describe('which requests a fault happens to', () => {
  test('as many as it was told, after those it skips, and none once it is lifted', async () => {
    await using scene = await stage();
    const { upstream, manifest } = scene;
    const handle = upstream.fault({ path: '/manifests/', method: 'GET', skip: 1, times: 2 }, fault.status(503));
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await get(manifest)).status);
    assert.deepEqual(statuses, [200, 503, 503, 200]);
    assert.equal((await head(manifest)).status, 200);
    assert.equal(handle.hits, 2);
    {
      using _outage = upstream.fault({}, fault.status(500));
      assert.equal((await get(manifest)).status, 500);
    }
    assert.equal((await get(manifest)).status, 200);
  });

  test('a fault at an offset waits for a body that has that offset', async () => {
    await using scene = await stage();
    const handle = scene.upstream.fault({ times: 1 }, fault.corrupt(1000));
    const bytes = async (range: string): Promise<Buffer> => (await get(scene.blob, { headers: { range } })).body;
    assert.deepEqual(await bytes('bytes=0-999'), BLOB.bytes().subarray(0, 1000));
    assert.equal(handle.hits, 0);
    const wrong = await bytes('bytes=900-1099');
    assert.deepEqual(
      [...wrong.entries()].filter(([at, byte]) => byte !== BLOB.bytes()[900 + at]).map(([at]) => at),
      [100],
    );
    assert.deepEqual(await bytes('bytes=900-1099'), BLOB.bytes().subarray(900, 1100));
  });
});

describe('faults in place of an answer', () => {
  test('status, web page and redirect', async () => {
    await using limited = await stage(fault.status(429, { 'retry-after': '7' }, 'slow down'));
    const answer = await get(limited.manifest);
    assert.deepEqual([answer.status, answer.headers['retry-after'], answer.body.toString()], [429, '7', 'slow down']);
    await using page = await stage(fault.html200());
    const { status, headers } = await get(page.blob);
    assert.deepEqual([status, headers['content-type']], [200, 'text/html']);
    await using moved = await stage(fault.redirect('http://example.test/'));
    assert.equal((await get(moved.blob)).headers.location, 'http://example.test/');
  });

  test('reset and close', async () => {
    await using rude = await stage(fault.reset());
    await assert.rejects(get(rude.blob), { code: 'ECONNRESET' });
    await using polite = await stage(fault.close());
    await assert.rejects(get(polite.blob), /socket hang up/);
  });

  test('hang, until the client has had enough', async () => {
    await using scene = await stage(fault.hang());
    const impatience = new AbortController();
    const answer = get(scene.blob, { signal: impatience.signal });
    await scene.upstream.ledger.arrived({});
    impatience.abort();
    await assert.rejects(answer, { name: 'AbortError' });
    await scene.upstream.ledger.settled();
    assert.equal(scene.upstream.ledger.entries[0]?.outcome, 'aborted');
  });

  test('delay', async () => {
    await using scene = await stage(fault.delay(40));
    assert.ok((await drain(scene.blob)).headersMs >= 39);
  });
});

describe('faults of a body', () => {
  test('cut sends exactly the bytes before it', async () => {
    await using scene = await stage();
    scene.upstream.fault({ times: 1 }, fault.cut(123_456));
    const first = await drain(scene.blob);
    assert.deepEqual([first.complete, first.bytes], [false, 123_456]);
    const rest = await drain(scene.blob, { headers: { range: 'bytes=123456-' } });
    assert.ok(rest.complete);
    const { sent, distinct, extents } = scene.upstream.blobBytes(BLOB.digest);
    assert.deepEqual([sent, distinct, extents], [BLOB.size, BLOB.size, [[0, BLOB.size]]]);
    assert.equal(scene.upstream.ledger.entries[0]?.outcome, 'broken');
  });

  test('cut under TLS sends exactly the bytes before it too', async () => {
    await using upstream = await CountingUpstream.start({ tls: true });
    upstream.publishBlob('app', BLOB);
    upstream.fault({}, fault.cut(123_456));
    const cut = await drain(`${upstream.origin}/v2/app/blobs/${BLOB.digest}`, { ca: testAuthority().ca });
    assert.deepEqual([cut.complete, cut.bytes, upstream.blobBytes(BLOB.digest).sent], [false, 123_456, 123_456]);
  });

  test('cut before the first byte leaves the headers', async () => {
    await using scene = await stage(fault.cut(0));
    const cut = await drain(scene.blob);
    assert.deepEqual([cut.status, cut.bytes, cut.complete], [200, 0, false]);
  });

  test('cut by a reset', async () => {
    await using scene = await stage(fault.cut(100_000, 'reset'));
    // A reset overtakes what has not been read yet: sometimes even the headers.
    const cut = await drain(scene.blob).catch(() => ({ complete: false, bytes: 0 }));
    assert.equal(cut.complete, false);
    assert.ok(cut.bytes <= 100_000);
    assert.equal(scene.upstream.blobBytes(BLOB.digest).sent, 100_000);
  });

  test('stall leaves the connection open', async () => {
    await using scene = await stage(fault.stall(1000));
    using reading = await open(scene.blob);
    assert.equal((await reading.read(1000)).length, 1000);
    assert.equal(scene.upstream.ledger.entries[0]?.outcome, 'open');
  });

  test('slow has its own bandwidth', async () => {
    await using scene = await stage(fault.slow(5_000_000));
    const slow = await drain(scene.blob);
    assert.ok(slow.complete);
    assert.ok(slow.totalMs > 60, `500 KB at 5 MB/s took ${slow.totalMs} ms`);
  });

  test('gzip that nobody asked for', async () => {
    await using scene = await stage(fault.contentEncodingGzip());
    const { headers, body } = await get(scene.manifest);
    assert.equal(headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(body), IMAGE.bytes);
  });
});

describe('faults of a range', () => {
  const range = { headers: { range: 'bytes=1000-1999' } };

  test('ignored', async () => {
    await using scene = await stage(fault.noRange());
    const { status, headers, body } = await get(scene.blob, range);
    assert.deepEqual([status, headers['accept-ranges'], body.length], [200, undefined, BLOB.size]);
  });

  test('answered from elsewhere', async () => {
    await using scene = await stage(fault.wrongContentRange(0));
    const { status, headers, body } = await get(scene.blob, range);
    assert.deepEqual([status, headers['content-range']], [206, `bytes 0-999/${BLOB.size}`]);
    assert.deepEqual(body, BLOB.bytes().subarray(0, 1000));
    assert.deepEqual(scene.upstream.blobBytes(BLOB.digest).extents, [[0, 1000]]);
  });

  test('of content that has changed', async () => {
    await using scene = await stage();
    const { etag = '' } = (await head(scene.blob)).headers;
    scene.upstream.fault({}, fault.changedEtag());
    const answer = await get(scene.blob, { headers: { ...range.headers, 'if-range': etag } });
    assert.deepEqual([answer.status, answer.headers.etag], [200, '"changed"']);
  });
});

describe('faults of headers', () => {
  test('missing and wrong ones', async () => {
    for (const [bad, header, value] of [
      [fault.noDigestHeader(), 'docker-content-digest', undefined],
      [fault.wrongDigestHeader(), 'docker-content-digest', `sha256:${'0'.repeat(64)}`],
      [fault.noContentType(), 'content-type', undefined],
      [fault.noLength(), 'content-length', undefined],
    ] as const) {
      await using scene = await stage(bad);
      const { headers, body } = await get(scene.manifest);
      assert.equal(headers[header], value);
      assert.deepEqual(body, IMAGE.bytes);
      assert.equal((await head(scene.manifest)).headers[header], value);
    }
  });
});

describe('a gate', () => {
  test('holds requests before their answer and lets them through one by one', async () => {
    await using scene = await stage();
    const gate = scene.upstream.gate({ path: '/manifests/' });
    let answered = 0;
    const answers = together(3, async () => {
      await get(scene.manifest);
      answered++;
    });
    await gate.arrived(3);
    assert.equal(answered, 0);
    gate.release(1);
    await scene.upstream.ledger.arrived({ status: 200 });
    assert.equal(scene.upstream.count({ status: 200 }), 1);
    gate.release();
    await answers;
    await get(scene.manifest);
  });

  test('holds a body at an offset', async () => {
    await using scene = await stage();
    const gate = scene.upstream.gate({}, { at: 300_000 });
    const reading = await open(scene.blob);
    assert.equal((await reading.read(300_000)).length, 300_000);
    await gate.arrived();
    assert.equal(scene.upstream.blobBytes(BLOB.digest).sent, 300_000);
    gate.release();
    assert.deepEqual(await reading.rest(), BLOB.bytes().subarray(300_000));
  });

  test('forgets a client that left', async () => {
    await using scene = await stage();
    const gate = scene.upstream.gate({ times: 1 }, { at: 10 });
    (await open(scene.blob)).abort();
    await scene.upstream.ledger.settled();
    gate.release(1);
    assert.equal((await drain(scene.blob)).complete, true);
  });
});

describe('an outage', () => {
  test('down refuses connections and cuts those there are; up brings the same port back', async () => {
    await using scene = await stage(fault.stall(1000));
    const reading = await open(scene.blob);
    await reading.read(1000);
    await scene.upstream.down();
    assert.equal((await reading.drain()).complete, false);
    assert.equal(scene.upstream.ledger.entries[0]?.outcome, 'broken');
    await assert.rejects(get(scene.manifest), { code: 'ECONNREFUSED' });
    await scene.upstream.up();
    assert.equal((await get(scene.manifest, { method: 'HEAD' })).status, 200);
  });

  test('a black hole takes connections and requests and says nothing, until it heals', async () => {
    await using scene = await stage();
    scene.upstream.blackhole();
    const answer = get(scene.manifest);
    answer.catch(() => undefined);
    while (scene.upstream.connections() === 0) await new Promise(setImmediate);
    assert.equal(scene.upstream.count(), 0);
    await scene.upstream.up();
    await assert.rejects(answer, /socket hang up|ECONNRESET/);
    assert.equal((await get(scene.manifest)).status, 200);
  });

  test('a black hole swallows the rest of what is under way', async () => {
    await using scene = await stage();
    const body = scene.upstream.gate({ path: '/blobs/' }, { at: 300_000 });
    const request = scene.upstream.gate({ path: '/manifests/' });
    using reading = await open(scene.blob);
    const answer = get(scene.manifest);
    await Promise.all([reading.read(300_000), body.arrived(), request.arrived()]);
    scene.upstream.blackhole();
    body.release();
    request.release();
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.deepEqual(
      scene.upstream.ledger.entries.map(({ outcome, bytesSent }) => [outcome, bytesSent]),
      [
        ['open', 300_000],
        ['open', 0],
      ],
    );
    await scene.upstream.up();
    await assert.rejects(answer);
  });

  test('may be that of one origin alone', async () => {
    await using upstream = await CountingUpstream.start({ auth: { kind: 'bearer', realm: 'other' } });
    await upstream.down('token');
    assert.equal((await get(`${upstream.origin}/v2/`)).status, 401);
    await assert.rejects(get(`${upstream.originOf('token')}/token`), { code: 'ECONNREFUSED' });
  });
});
